#!/usr/bin/env python3
"""A cluster under a misbehaving city: replicas die, and lose their database, their bus, and each other.

Starts PostgreSQL, nats-server and several replicas of each service on loopback, TCP proxies between every two of them,
and hail-sim, which uses all replicas in turn. Then, in an order drawn from the seed: replicas end by SIGKILL and are
started again; PostgreSQL is restarted, in good order and as by a crash; NATS is killed and started; replicas are cut
off from PostgreSQL, from NATS, from the replicas of the other service, or from all of them, with connections closed or
silently. In the end the city comes to rest, all services drain, and hail-check judges the clients' records and the
stored data. With --rolling none of this happens. Instead, each replica is replaced as by an upgrade, and no call may be
refused for good.

All connections are secured: hail-sim, the replicas, PostgreSQL and NATS show certificates of one authority, each rider
and driver has a token, PostgreSQL wants a password, and NATS gives each service its own subjects. With --clear they are
not.

Exit status: 0 if all happened as planned, and hail-sim and hail-check are content.
"""
import argparse
import pathlib
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cluster import City, Replica, add_city_options, trial  # noqa: E402

# The disturbances besides kills: how often each happens for 30 kills.
DISTURBANCES = {"postgres-smart": 1, "postgres-crash": 2, "nats": 3, "cut-postgres": 4, "cut-nats": 3, "cut-peers": 4,
                "cut-all": 3}


class Disturbed(City):
    def __init__(self, options, directory):
        super().__init__(options, directory, options.bin)
        self.kills = 0

    # --- Disturbances ---

    def kill(self):
        replica = self.random.choice(self.replicas)
        self.say(f"kill {replica.name}")
        replica.service.process.send_signal(signal.SIGKILL)
        replica.service.process.wait()
        self.kills += 1
        # Waits shorter and longer than a lease.
        self.wait(0, self.random.choice([0.5, 2, 9]))
        replica.service.start()

    def replace(self, replica):
        """Replaces a replica as an upgrade does: it drains, and its successor starts."""
        self.say(f"replace {replica.name}")
        self.stop(replica)
        replica.service.start()

    def disturb(self, what):
        if what == "postgres-smart":
            self.say("PostgreSQL is asked to stop, and its clients leave")
            self.postgres.stop("smart", wait=False)
            for replica in self.replicas:
                replica.postgres.cut(silently=False)
            self.wait(1, 4)
            # PostgreSQL stops only after all clients have left.
            while self.postgres.running():
                time.sleep(0.05)
            self.postgres.start()
            for replica in self.replicas:
                replica.postgres.mend()
        elif what == "postgres-crash":
            self.say("PostgreSQL crashes")
            self.postgres.stop("immediate")
            self.wait(0, 8)
            self.postgres.start()
        elif what == "nats":
            self.say("NATS is killed")
            self.nats.kill()
            self.wait(0, 6)
            self.nats.start()
        else:
            silently = self.random.random() < 0.5
            replica = self.random.choice(self.replicas)
            ways = {"cut-postgres": [replica.postgres], "cut-nats": [replica.nats], "cut-peers": replica.peers,
                    "cut-all": [replica.postgres, replica.nats, *replica.peers]}[what]
            if what == "cut-all":
                # The replicas of the other service cannot call this one, either.
                place = [other for other in self.replicas if other.kind == replica.kind].index(replica)
                ways += [other.peers[place] for other in self.replicas if other.kind != replica.kind]
            self.say(f"{replica.name} is cut off ({what[4:]}{', silently' if silently else ''})")
            for way in ways:
                way.cut(silently)
            self.wait(1, 15)
            for way in ways:
                way.mend()

    def carry_out(self):
        plan = ["kill"] * self.options.kills
        for what, times in DISTURBANCES.items():
            plan += [what] * round(times * self.options.kills / 30) if not self.options.short else [what]
        self.random.shuffle(plan)
        self.print_heading()
        if self.options.rolling:
            plan = self.replicas * 2
        for what in plan:
            self.wait(0, self.options.calm)
            self.check_running()
            if isinstance(what, Replica):
                self.replace(what)
            elif what == "kill":
                self.kill()
            else:
                self.disturb(what)
        self.say("all is well again")

    def come_to_rest(self):
        wrong = super().come_to_rest(refusals=not self.options.rolling)
        print(f"{self.options.rider_replicas} + {self.options.driver_replicas} replicas, {self.kills} kills, "
              f"{time.time() - self.begin:.0f} s")
        return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_city_options(parser, 3)
    parser.add_argument("--clear", action="store_true", help="without TLS, tokens and a password, for comparison")
    parser.add_argument("--short", action="store_true", help="4 kills, and each disturbance once")
    parser.add_argument("--rolling", action="store_true",
                        help="instead, each replica is replaced twice, one after the other, in good order")
    parser.add_argument("--kills", type=int, help="30; short 4")
    parser.add_argument("--calm", type=float, help="seconds between two of them, at most (3; short 1)")
    options = parser.parse_args()
    defaults = {"speed": 40, "calm": 0.5, "length": 60, "drivers": 120, "rides": 300, "kills": 4} if options.short else {
        "speed": 20, "calm": 3, "length": 330, "drivers": 200, "rides": 2000, "kills": 30}
    for key, value in defaults.items():
        if getattr(options, key) is None:
            setattr(options, key, value)

    return trial.run("cluster", options.keep, lambda directory: Disturbed(options, directory))


if __name__ == "__main__":
    sys.exit(main())
