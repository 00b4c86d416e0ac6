#!/usr/bin/env python3
"""A cluster under a misbehaving city: replicas die, their database and their bus go away, and they lose each other.

Starts PostgreSQL, nats-server and several replicas of each service on loopback, hail-sim against addresses that go round
the replicas, and TCP proxies between every two of them. Then, in an order that the seed says: replicas end by SIGKILL
and are started again; PostgreSQL is restarted, in good order and as by a crash; NATS is killed and started; replicas are
cut off from PostgreSQL, from NATS, from those of the other service, or from all of it, with and without being told. In
the end the city comes to rest, all drain, and hail-check judges what clients saw and what is stored. With --rolling
nothing of this happens, and each replica is replaced as by an upgrade; then no call may be refused for good, either.

Exit status: 0 if all happened as planned, and hail-sim and hail-check are content.
"""
import argparse
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import trial  # noqa: E402
from cuttable import Network, Proxy  # noqa: E402
from nats_server import Nats, host_and_port  # noqa: E402
from postgres import Postgres  # noqa: E402
from trial import Failure  # noqa: E402
from two_services import Service, end_all, epoch, free_ports  # noqa: E402

OTHER = {"rider": "driver", "driver": "rider"}
# What is done besides kills, and how often, for 30 kills.
DISTURBANCES = {"postgres-smart": 1, "postgres-crash": 2, "nats": 3, "cut-postgres": 4, "cut-nats": 3, "cut-peers": 4,
                "cut-all": 3}


class Replica:
    """A process of a service, and its ways to the others."""

    def __init__(self, kind, name):
        self.kind = kind
        self.name = name
        self.service = None
        self.postgres = self.nats = None
        self.peers = []


class Cluster:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.random = random.Random(options.seed)
        self.begin = time.time()
        self.kills = 0
        directory.chmod(0o755)
        (directory / "server").mkdir()
        kinds = ["rider"] * options.rider_replicas + ["driver"] * options.driver_replicas
        ports = iter(free_ports(2 + len(kinds) * 5 + 2 * options.rider_replicas * options.driver_replicas))
        postgres_port = next(ports)
        self.postgres = Postgres(directory / "server", port=postgres_port)
        self.nats = Nats(directory, next(ports))
        network = Network()
        anchor = f"{self.begin:.3f}:{epoch('2008-05-22T18:00:00-07:00'):.3f}"
        self.replicas = [Replica(kind, f"{kind}-{i}") for i, kind in enumerate(kinds)]
        public = {replica: f"127.0.0.1:{next(ports)}" for replica in self.replicas}
        internal = {replica: f"127.0.0.1:{next(ports)}" for replica in self.replicas}
        for replica in self.replicas:
            replica.postgres = Proxy(network, next(ports), ("127.0.0.1", postgres_port))
            replica.nats = Proxy(network, next(ports), host_and_port(self.nats.address))
            replica.peers = [Proxy(network, next(ports), host_and_port(internal[other]))
                             for other in self.replicas if other.kind != replica.kind]
            settings = {
                "listen": public[replica], "internal_listen": internal[replica],
                "metrics_listen": f"127.0.0.1:{next(ports)}", "data_dir": directory / replica.name,
                "store.url": f"postgres://hail@{replica.postgres.address}/postgres",
                "bus.url": f"nats://{replica.nats.address}",
                f"{OTHER[replica.kind]}_service": "ipv4:" + ",".join(proxy.address for proxy in replica.peers),
                "time_scale": options.speed, "time_anchor": anchor, "shutdown.notice": "0s", "log.level": "info"}
            if replica.kind == "rider":
                settings |= {"ride.match_deadline": options.match_deadline, "ride.seen_within": "5m"}
            if replica.kind == "driver" and options.driver_replicas == 1:
                del settings["bus.url"]
            replica.service = Service(replica.name, options.bin, directory, settings, binary=f"{replica.kind}-service")
        addresses = {kind: "ipv4:" + ",".join(public[replica] for replica in self.replicas if replica.kind == kind)
                     for kind in OTHER}
        self.sim_command = [
            str(options.bin / "hail-sim"), "--rider", addresses["rider"], "--driver", addresses["driver"], "--speed",
            str(options.speed), "--anchor", anchor, "--seed", str(options.seed), "--ledger", str(directory / "ledger"),
            "--report", str(directory / "report.json"), "--length", str(options.length), "--drivers",
            str(options.drivers), "--rides", str(options.rides), "--decline", "0.2", "--ignore", "0.15",
            "--driver-cancel", "0.1", "--rider-cancel", "0.1", "--disconnect", "0.15", "--quiet", "60",
            "--no-progress"]
        self.sim = None

    def start(self):
        self.nats.start()
        for replica in self.replicas:
            replica.service.start()
        self.sim = subprocess.Popen(self.sim_command, stdout=open(self.directory / "sim.log", "wb"),
                                    stderr=subprocess.STDOUT)

    def say(self, what):
        try:
            rows = self.postgres.rows("SELECT state, COUNT(*) FROM hail_rider.rides WHERE state < 7 GROUP BY state")
            counts = {int(state): int(count) for state, count in rows}
            rides = " ".join(f"{counts.get(state, 0):>9}" for state in (2, 3, 4, 5))
        except (subprocess.CalledProcessError, OSError):
            rides = f"{'-':>9} " * 4
        print(f"{time.time() - self.begin:>7.1f} s  {what:<52} {rides}", flush=True)

    def check_running(self):
        if self.sim.poll() is not None:
            raise Failure(f"hail-sim ended before the plan did (exit {self.sim.returncode}): make --length longer")
        for replica in self.replicas:
            if replica.service.process.poll() is not None:
                raise Failure(f"{replica.name} ended by itself: exit {replica.service.process.returncode}")

    def wait(self, least, most):
        time.sleep(self.random.uniform(least, most))

    # --- What is done ---

    def kill(self):
        replica = self.random.choice(self.replicas)
        self.say(f"kill {replica.name}")
        replica.service.process.send_signal(signal.SIGKILL)
        replica.service.process.wait()
        self.kills += 1
        # Shorter and longer than a lease.
        self.wait(0, self.random.choice([0.5, 2, 9]))
        replica.service.start()

    def replace(self, replica):
        """As an upgrade does: it drains, and its successor starts."""
        self.say(f"replace {replica.name}")
        status, took = replica.service.stop()
        if status != 0:
            raise Failure(f"{replica.name} did not drain: exit {status} after {took:.1f} s")
        replica.service.start()

    def disturb(self, what):
        if what == "postgres-smart":
            self.say("PostgreSQL is asked to stop, and its clients leave")
            self.postgres.stop("smart", wait=False)
            for replica in self.replicas:
                replica.postgres.cut(silently=False)
            self.wait(1, 4)
            # Nobody may be left, or it would still be waiting.
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
                # The others cannot call it, either.
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
        print(f"{'':>10} {'':<53}   rides:\n{'':>10} {'':<53}  MATCHING to pickup at pickup   on trip", flush=True)
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
        """What is wrong, in words; empty if nothing is."""
        report, wrong = trial.come_to_rest(self.sim, [replica.service for replica in self.replicas], self.directory,
                                           self.options.length + 300)
        refused = {what: count for what, count in report["counts"].items() if "unanswered" in what or "gave_up" in what}
        if self.options.rolling and (refused or report["rejected"]):
            wrong.append(f"refused for good: {report['rejected']} requests, {refused}")
        stores = {kind: self.directory / f"{kind}.db" for kind in OTHER}
        for kind, path in stores.items():
            self.postgres.export(kind, path)
        verdict, judged_wrong = trial.judge(self.options.bin, self.directory, stores)
        wrong += judged_wrong
        trial.print_verdict(report, verdict)
        print(f"{self.options.rider_replicas} + {self.options.driver_replicas} replicas, {self.kills} kills, "
              f"{time.time() - self.begin:.0f} s")
        return wrong

    def end(self):
        end_all([self.sim] + [replica.service.process for replica in self.replicas] + [self.nats.process])
        self.postgres.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="directory with the programs")
    parser.add_argument("--rider-replicas", type=int, default=3)
    parser.add_argument("--driver-replicas", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="4 kills, and each disturbance once")
    parser.add_argument("--rolling", action="store_true",
                        help="instead, each replica is replaced twice, one after the other, in good order")
    parser.add_argument("--kills", type=int, help="30; short 4")
    parser.add_argument("--seed", type=int, default=1, help="of the city and of the order of things (1)")
    parser.add_argument("--speed", type=float, help="domain seconds a wall second (20)")
    parser.add_argument("--length", type=float, help="wall seconds in which the rides take place, about")
    parser.add_argument("--drivers", type=int)
    parser.add_argument("--rides", type=int)
    parser.add_argument("--match-deadline", default="10m", help="domain time (10m)")
    parser.add_argument("--calm", type=float, help="seconds between two of them, at most (3; short 1)")
    parser.add_argument("--keep", type=pathlib.Path, help="directory for data, logs, ledgers; kept")
    options = parser.parse_args()
    defaults = {"speed": 40, "calm": 0.5, "length": 60, "drivers": 120, "rides": 300, "kills": 4} if options.short else {
        "speed": 20, "calm": 3, "length": 330, "drivers": 200, "rides": 2000, "kills": 30}
    for key, value in defaults.items():
        if getattr(options, key) is None:
            setattr(options, key, value)

    return trial.run("cluster", options.keep, lambda directory: Cluster(options, directory))


if __name__ == "__main__":
    sys.exit(main())
