#!/usr/bin/env python3
"""Kills the services under a misbehaving city, at failpoints and at random, and judges the outcome of the rides.

Starts rider-service and driver-service with failpoints (see common/failpoint/failpoint.h) on free loopback ports with
their data in a temporary directory, and hail-sim as their clients. Each kill waits until at least 20 rides are in
MATCHING and 5 confirmations are under way; slow commits, as on a slow disk, make this likely. Then one service or both
end by SIGKILL: either at once, or at the next passing of a failpoint, which must come. They are started again on the
same data. In the end the city comes to rest, the services drain, and hail-check judges the clients' records and the
stored data.

The services are secured: they speak TLS with each other and with hail-sim, which shows the edge's certificate, and each
rider and driver has a token. With --clear they are not.

Exit status: 0 if all kills happened as planned, every failpoint was passed, and hail-sim and hail-check are content.
"""
import argparse
import collections
import contextlib
import pathlib
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import trial  # noqa: E402
from failpoint_table import FailpointTable  # noqa: E402
from postgres import Postgres  # noqa: E402
from secured import Secured  # noqa: E402
from trial import Failure  # noqa: E402
from two_services import end_all, epoch, two_services  # noqa: E402

STATES = {2: "MATCHING", 3: "ENROUTE_TO_PICKUP", 4: "ARRIVED_AT_PICKUP", 5: "ENROUTE_TO_DROPOFF"}
STATUSES = ["OFFLINE", "AVAILABLE", "OFFERED", "RESERVED", "ON_TRIP"]
OTHER = {"rider": "driver", "driver": "rider"}

# Failpoints that a service passes when the link between the services comes up. To cause that, the other service is
# killed first.
AFTER_KILL_OF_OTHER = {("driver", "link.up"), ("rider", "start.new_epoch"), ("driver", "feed.subscribed"),
                       ("rider", "feed.read_driver")}

# The short plan: one kill of each kind, and the moments that are hardest to get right.
SHORT_PLAN = [("rider", "commit.before"), "driver", ("rider", "commit.after"), ("driver", "confirm.replied"), "both",
              "rider"]
# The random kills of the long plan, which also has each failpoint.
LONG_RANDOM = ["rider"] * 5 + ["driver"] * 5 + ["both"] * 5

RANDOM = "random: "
Kill = collections.namedtuple("Kill", "what rides drivers confirming at")


class City:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.random = random.Random(options.seed)
        self.kills = []
        self.begin = time.time()
        anchor = f"{self.begin:.3f}:{epoch('2008-05-22T18:00:00-07:00'):.3f}"
        shared = {"time_scale": options.speed, "time_anchor": anchor, "shutdown.notice": "0s", "log.level": "warn"}
        shared.update(pair.split("=", 1) for pair in options.set)
        self.postgres = None
        if options.postgres:
            # The PostgreSQL server runs as another user.
            directory.chmod(0o755)
            (directory / "server").mkdir()
            self.postgres = Postgres(directory / "server")
            shared["store.url"] = self.postgres.url
        # Long deadlines, so that rides outlast restarts, and drivers' phones may be offline during a restart.
        patient = {"rider": {"ride.match_deadline": "8m" if options.short else "20m", "ride.seen_within": "5m"}}
        # With libpowerloss a kill is a power cut: unsynced writes are lost (docs/testing/power-loss.md).
        power = {"LD_PRELOAD": str(options.power.resolve()), "POWERLOSS": "1"} if options.power else {}
        secured = None if options.clear else Secured(directory / "secured")
        self.services = two_services(options.services, directory, shared, patient, {
            name: {"HAILTEST_FAILPOINTS": str(directory / f"{name}.failpoints"), **power} for name in OTHER}, secured)
        self.sim_command = [
            str(options.bin / "hail-sim"), "--rider", self.services["rider"].address, "--driver",
            self.services["driver"].address, "--speed", str(options.speed), "--anchor", anchor, "--seed",
            str(options.seed), "--ledger", str(directory / "ledger"), "--report", str(directory / "report.json"),
            "--length", str(options.length), "--drivers", str(options.drivers), "--rides", str(options.rides),
            "--decline", "0.2", "--ignore", "0.15", "--driver-cancel", "0.1", "--rider-cancel", "0.1", "--disconnect",
            "0.15", "--quiet", "40", "--no-progress", *(secured.flags() if secured else [])]
        self.sim = None
        self.tables = {}
        self.confirms_lost = 0
        self.too_quiet = 0

    # --- Observation ---

    def confirming(self):
        """The number of confirmations under way, whose drivers are RESERVED."""
        table = self.tables["driver"]
        replied = table.passed("confirm.replied")
        return table.passed("confirm.before") - replied - self.confirms_lost

    def metrics(self, name, metric, label):
        """{value of `label`: value} of a service's metric; empty if the service does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.services[name].metrics}/metrics", timeout=2) as reply:
                lines = reply.read().decode().splitlines()
        except OSError:
            return {}
        prefix = f'hail_{name}_{metric}{{{label}="'
        return {line[len(prefix):].split('"')[0]: round(float(line.split()[-1]))
                for line in lines if line.startswith(prefix)}

    def matching(self):
        return self.metrics("rider", "dispatch_rides", "for").get("match", 0)

    def rides(self):
        """Stored live rides by state. Reads a copy, because opening the store's own files would interfere, above all
        with the recovery of a dead service."""
        if self.postgres:
            rows = self.postgres.rows("SELECT state, COUNT(*) FROM hail_rider.rides GROUP BY state")
            counts = {int(state): int(count) for state, count in rows}
            return {name: counts.get(state, 0) for state, name in STATES.items()}
        store, copy = self.directory / "rider" / "rider.db", self.directory / "copy.db"
        for _ in range(5):
            # Copies the log first, so that data moved from it into the database meanwhile are in one of the copies.
            for end in ("-wal", ""):
                if pathlib.Path(f"{store}{end}").exists():
                    shutil.copyfile(f"{store}{end}", f"{copy}{end}")
            try:
                with contextlib.closing(sqlite3.connect(copy)) as connection:
                    counts = dict(connection.execute("SELECT state, COUNT(*) FROM rides GROUP BY state"))
                return {name: counts.get(state, 0) for state, name in STATES.items()}
            except sqlite3.DatabaseError:
                # The file changed while it was copied.
                pass
            finally:
                for end in ("", "-wal", "-shm"):
                    pathlib.Path(f"{copy}{end}").unlink(missing_ok=True)
        raise Failure("the rides cannot be counted")

    def drivers(self):
        """Drivers by status, at most 0.5 s old."""
        return self.metrics("driver", "drivers", "status")

    # --- Kills ---

    def start(self):
        for name, service in self.services.items():
            service.start()
            self.tables[name] = FailpointTable(self.directory / f"{name}.failpoints", name)
        self.tables["rider"].delay("commit.before", self.options.slow_commit)
        # Delays reads after subscribing, so that commits can happen in between.
        self.tables["rider"].delay("feed.read_driver", 0.002)
        self.tables["rider"].delay("feed.read_ride", 0.002)
        self.sim = subprocess.Popen(self.sim_command, stdout=open(self.directory / "sim.log", "wb"),
                                    stderr=subprocess.STDOUT)

    def check_running(self, armed=()):
        if self.sim.poll() is not None:
            raise Failure(f"hail-sim ended before the kills did (exit {self.sim.returncode}): make --length longer")
        for name, service in self.services.items():
            if name not in armed and service.process.poll() is not None:
                raise Failure(f"{service.name} ended by itself: exit {service.process.returncode}")

    def await_bustle(self):
        """Waits for enough activity; returns the drivers by status and the confirmations under way."""
        give_up = time.time() + self.options.patience
        most = (0, 0)
        while True:
            self.check_running()
            confirming = self.confirming()
            if confirming >= self.options.confirming:
                matching = self.matching()
                drivers = self.drivers() if matching >= self.options.matching else {}
                confirming = self.confirming()
                if any(drivers.values()) and confirming >= self.options.confirming:
                    return drivers, confirming
                most = max(most, (confirming, matching))
            if time.time() > give_up:
                raise Failure(f"not enough went on: at most {most[0]} confirmations with {most[1]} rides in MATCHING")
            time.sleep(0.002)

    def record(self, what, dead, drivers, confirming):
        """Records a kill, after the death of the services in `dead` and before their restart. `confirming` is the
        number just before the death: once rider-service is dead, confirmations under way fail at once and are tried
        again."""
        if "driver" in dead:
            # The dead service never counts the replies to these.
            self.confirms_lost += self.confirming()
        kill = Kill(what, self.rides(), drivers, confirming, time.time() - self.begin)
        self.kills.append(kill)
        rides = " ".join(f"{kill.rides[state]:>9}" for state in STATES.values())
        statuses = " ".join(f"{kill.drivers.get(status, '-'):>9}" for status in STATUSES)
        print(f"{len(self.kills):>4} {kill.at:>6.1f} s  {what:<34} {rides}  {kill.confirming:>9} {statuses}", flush=True)

    def kill_now(self, names):
        """Kills services now. False if activity was too low at their death: then the kill does not count."""
        drivers, confirming = self.await_bustle()
        for name in names:
            self.services[name].process.send_signal(signal.SIGKILL)
        for name in names:
            self.services[name].process.wait()
        self.record(RANDOM + " and ".join(f"{name}-service" for name in names), names, drivers, confirming)
        last = self.kills[-1]
        if last.rides["MATCHING"] >= self.options.matching and last.confirming >= self.options.confirming:
            return True
        self.too_quiet += 1
        self.kills.pop()
        print("     too little went on by then: not counted", flush=True)
        return False

    def kill_enough(self, names):
        for _ in range(5):
            if self.kill_now(names):
                return
            self.restart(names)
        raise Failure("too little went on, again and again")

    def restart(self, names):
        # A random wait, in which the other service and the clients may notice the death.
        time.sleep(self.random.uniform(0, 0.8))
        for name in names:
            self.services[name].launch()
        for name in names:
            self.services[name].await_serving()

    def kill_at(self, name, point):
        service, table = self.services[name], self.tables[name]
        before = table.killed(point)
        if (name, point) in AFTER_KILL_OF_OTHER:
            self.kill_enough([OTHER[name]])
            drivers = {} if name == "rider" else self.drivers()
            table.arm(point)
            self.restart([OTHER[name]])
        else:
            drivers, _ = self.await_bustle()
            table.arm(point)
        give_up = time.time() + self.options.patience
        confirming = before_last = self.confirming()
        while service.process.poll() is None:
            confirming, before_last = self.confirming(), confirming
            self.check_running([name])
            if time.time() > give_up:
                raise Failure(f"{service.name} did not come to {point}")
            time.sleep(0.002)
        if service.process.returncode != -signal.SIGKILL or table.killed(point) != before + 1:
            raise Failure(f"{service.name} ended by itself before {point}: exit {service.process.returncode}")
        self.record(f"{service.name} at {point}", [name], drivers, before_last)
        self.restart([name])

    def carry_out(self):
        print(f"{'':>14}  {'killed':<34} {'rides':<39}  being  drivers, up to 0.5 s before\n{'':>14}  {'':<34} "
              f" MATCHING to pickup at pickup on trip  confirmed" + " ".join(f"{name[:9]:>9}" for name in STATUSES),
              flush=True)
        for item in make_plan(self, self.options):
            time.sleep(self.random.uniform(0, self.options.calm))
            if isinstance(item, tuple):
                self.kill_at(*item)
            else:
                names = list(OTHER) if item == "both" else [item]
                self.kill_enough(names)
                self.restart(names)
        for table in self.tables.values():
            for name in table.names():
                table.delay(name, 0)

    def come_to_rest(self):
        """The faults, as texts; empty if there are none."""
        report, wrong = trial.come_to_rest(self.sim, self.services.values(), self.directory, self.options.length + 240)
        stores = {name: self.directory / name / f"{name}.db" for name in self.services}
        if self.postgres:
            for name, path in stores.items():
                self.postgres.export(name, path)
        verdict, judged_wrong = trial.judge(self.options.bin, self.directory, stores)
        wrong += judged_wrong
        for name, table in self.tables.items():
            for point in table.names():
                if table.passed(point) == 0:
                    wrong.append(f"{name}-service never passed {point}")
        self.summarize(report, verdict)
        return wrong

    def end(self):
        end_all([self.sim] + [service.process for service in self.services.values()])
        if self.postgres:
            self.postgres.stop()

    def summarize(self, report, verdict):
        print("\nfailpoint            rider-service: passed, killed    driver-service: passed, killed")
        names = list(dict.fromkeys(self.tables["rider"].names() + self.tables["driver"].names()))
        for point in names:
            cells = [f"{table.passed(point):>17} {table.killed(point):>9}" if point in table.names() else f"{'-':>27}"
                     for table in self.tables.values()]
            print(f"{point:<20} {cells[0]:>28} {cells[1]:>33}")
        trial.print_verdict(report, verdict)
        at_points = sum(table.killed(point) for table in self.tables.values() for point in table.names())
        hit = sum(table.killed(point) > 0 for table in self.tables.values() for point in table.names())
        all_points = sum(len(table.names()) for table in self.tables.values())
        at_random = [kill for kill in self.kills if kill.what.startswith(RANDOM)]
        print(f"{len(self.kills)} kills: {at_points} at failpoints ({hit} of {all_points} hit), {len(at_random)} at "
              "random, with "
              f"{min(kill.rides['MATCHING'] for kill in at_random)} to "
              f"{max(kill.rides['MATCHING'] for kill in at_random)} rides in MATCHING (median "
              f"{statistics.median(kill.rides['MATCHING'] for kill in at_random):.0f}) and "
              f"{min(kill.confirming for kill in at_random)} to {max(kill.confirming for kill in at_random)} drivers "
              f"being confirmed (median {statistics.median(kill.confirming for kill in at_random):.0f}); "
              f"{time.time() - self.begin:.0f} s")


def make_plan(city, options):
    if options.plan:
        return [tuple(item.split(":")) if ":" in item else item for item in options.plan.split(",")]
    if options.short:
        return SHORT_PLAN
    plan = [(name, point) for name, table in city.tables.items() for point in table.names()] + LONG_RANDOM
    city.random.shuffle(plan)
    return plan


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="directory with hail-sim and hail-check")
    parser.add_argument("--services", type=pathlib.Path, required=True, help="directory with the services with failpoints")
    parser.add_argument("--power", type=pathlib.Path, help="libpowerloss.so: each kill is a power cut")
    parser.add_argument("--postgres", action="store_true", help="both services keep their state in a PostgreSQL")
    parser.add_argument("--clear", action="store_true", help="without TLS and tokens, for comparison")
    parser.add_argument("--short", action="store_true", help=f"{len(SHORT_PLAN)} kills, not every failpoint")
    parser.add_argument("--plan", help="these kills instead, separated by commas: rider, driver, both, rider:commit.after")
    parser.add_argument("--matching", type=int, default=20, help="rides in MATCHING that a kill waits for (20)")
    parser.add_argument("--confirming", type=int, default=5, help="confirmations under way that a kill waits for (5)")
    parser.add_argument("--patience", type=float, default=120,
                        help="seconds for that, and for an armed failpoint to be passed, at most (120)")
    parser.add_argument("--seed", type=int, default=1, help="of the city and of the order of the kills (1)")
    parser.add_argument("--speed", type=float, help="domain seconds a wall second (30, short 60)")
    parser.add_argument("--length", type=float, help="wall seconds in which the rides take place, about")
    parser.add_argument("--drivers", type=int)
    parser.add_argument("--rides", type=int)
    parser.add_argument("--calm", type=float, help="seconds between a restart and the next kill, at most (4, short 0.5)")
    parser.add_argument("--slow-commit", type=float, default=0.3, help="seconds that each commit of rider-service takes")
    parser.add_argument("--set", action="append", default=[], help="key=value for both services")
    parser.add_argument("--keep", type=pathlib.Path, help="directory for data, logs, ledgers; kept")
    options = parser.parse_args()
    defaults = {"speed": 60, "calm": 0.5, "length": 24, "drivers": 250, "rides": 500} if options.short else {
        "speed": 30, "calm": 4, "length": 240, "drivers": 280, "rides": 2700}
    for key, value in defaults.items():
        if getattr(options, key) is None:
            setattr(options, key, value)

    return trial.run("crash", options.keep, lambda directory: City(options, directory))


if __name__ == "__main__":
    sys.exit(main())
