"""Replicas of both services on one PostgreSQL and one NATS, each behind a proxy, and a simulated city that they serve.
Certificates, tokens and a password guard all connections, except in the clear."""
import pathlib
import random
import secrets
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import trial  # noqa: E402
from cuttable import Network, Proxy  # noqa: E402
from nats_server import Nats, host_and_port  # noqa: E402
from postgres import Postgres  # noqa: E402
from secured import Secured, files  # noqa: E402
from trial import Failure  # noqa: E402
from two_services import Service, end_all, epoch, free_ports  # noqa: E402

OTHER = {"rider": "driver", "driver": "rider"}


class Replica:
    """A process of a service, and its proxies to PostgreSQL, NATS and the other service."""

    def __init__(self, kind, name):
        self.kind = kind
        self.name = name
        self.service = None
        self.postgres = self.nats = None
        self.peers = []


class Cluster:
    def __init__(self, binaries, directory, kinds, speed, own, clear=False):
        """Starts PostgreSQL. `kinds`: the service of each replica. `own`: further settings of each service. Callers need
        certificates and tokens, as do the replicas for each other, for NATS, and with a password for PostgreSQL;
        `clear`: nobody needs anything."""
        self.directory = directory
        self.begin = time.time()
        directory.chmod(0o755)
        (directory / "server").mkdir()
        count = {kind: kinds.count(kind) for kind in OTHER}
        ports = iter(free_ports(2 + len(kinds) * 5 + 2 * count["rider"] * count["driver"]))
        postgres_port = next(ports)
        self.secured = secured = None if clear else Secured(directory / "secured")
        self.postgres = Postgres(directory / "server", port=postgres_port,
                                 certificate=secured.server("postgres") if secured else None)
        self.nats = Nats(directory, next(ports), secured.server("nats") if secured else None)
        self.password_file = directory / "password"
        if secured:
            self.postgres.set_password(self.new_password())
        network = Network()
        self.anchor = f"{self.begin:.3f}:{epoch('2008-05-22T18:00:00-07:00'):.3f}"
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
                **(self.secured_settings(replica) if secured else {
                    "store.url": f"postgres://hail@{replica.postgres.address}/postgres",
                    "bus.url": f"nats://{replica.nats.address}"}),
                f"{OTHER[replica.kind]}_service": "ipv4:" + ",".join(proxy.address for proxy in replica.peers),
                "time_scale": speed, "time_anchor": self.anchor, "shutdown.notice": "0s", "log.level": "info",
                **own.get(replica.kind, {})}
            if replica.kind == "driver" and count["driver"] == 1:
                del settings["bus.url"]
            replica.service = Service(replica.name, binaries, directory, settings, binary=f"{replica.kind}-service")
        self.addresses = {kind: "ipv4:" + ",".join(public[replica] for replica in self.replicas if replica.kind == kind)
                          for kind in OTHER}

    def secured_settings(self, replica):
        authorities = self.secured.tls / f"{replica.kind}-service" / "ca.crt"
        return {**self.secured.settings(replica.kind), **self.secured.bus_settings(replica.kind),
                "store.url": f"postgres://hail@{replica.postgres.address}/postgres?sslmode=verify-full&sslrootcert={authorities}",
                "store.password_file": self.password_file,
                # By the name of the host, because libnats compares no addresses.
                "bus.url": f"tls://localhost:{host_and_port(replica.nats.address)[1]}"}

    def new_password(self):
        """Writes one into the replicas' file and returns it."""
        password = secrets.token_hex(16)
        files.write(self.password_file, password.encode(), 0o600)
        return password

    def start(self):
        self.nats.start()
        for replica in self.replicas:
            replica.service.start()

    def stop(self, replica):
        """Stops a replica; a Failure if it does not drain."""
        status, took = replica.service.stop()
        if status != 0:
            raise Failure(f"{replica.name} did not drain: exit {status} after {took:.1f} s")

    def check_running(self):
        for replica in self.replicas:
            if replica.service.process.poll() is not None:
                raise Failure(f"{replica.name} ended by itself: exit {replica.service.process.returncode}")

    def end(self):
        end_all([replica.service.process for replica in self.replicas] + [self.nats.process])
        self.postgres.stop()


def add_city_options(parser, replicas, **usual):
    """What City reads, but for --clear. `usual`: values of speed, length, drivers and rides; without one it is None."""
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="directory with the programs")
    parser.add_argument("--rider-replicas", type=int, default=replicas, help=f"({replicas})")
    parser.add_argument("--driver-replicas", type=int, default=replicas, help=f"({replicas})")
    parser.add_argument("--seed", type=int, default=1, help="of the city and of the order of things (1)")
    for name, kind, what in (("speed", float, "domain seconds a wall second"),
                             ("length", float, "wall seconds in which the rides take place, about"),
                             ("drivers", int, "of the city"), ("rides", int, "of the city")):
        value = usual.get(name)
        parser.add_argument(f"--{name}", type=kind, default=value, help=what + (f" ({value})" if value else ""))
    parser.add_argument("--match-deadline", default="10m", help="domain time (10m)")
    parser.add_argument("--keep", type=pathlib.Path, help="directory for data, logs, ledgers; kept")


class City(Cluster):
    """A cluster with hail-sim's city, for trial.run. A subclass disturbs it in carry_out()."""

    def __init__(self, options, directory, binaries):
        """`binaries`: the directory with the services; hail-sim and hail-check are in options.bin."""
        self.options = options
        self.random = random.Random(options.seed)
        kinds = ["rider"] * options.rider_replicas + ["driver"] * options.driver_replicas
        super().__init__(binaries, directory, kinds, options.speed, {
            "rider": {"ride.match_deadline": options.match_deadline, "ride.seen_within": "5m"}}, options.clear)
        self.sim_command = [
            str(options.bin / "hail-sim"), "--rider", self.addresses["rider"], "--driver", self.addresses["driver"],
            "--speed", str(options.speed), "--anchor", self.anchor, "--seed", str(options.seed), "--ledger",
            str(directory / "ledger"), "--report", str(directory / "report.json"), "--length", str(options.length),
            "--drivers", str(options.drivers), "--rides", str(options.rides), "--decline", "0.2", "--ignore", "0.15",
            "--driver-cancel", "0.1", "--rider-cancel", "0.1", "--disconnect", "0.15", "--quiet", "60",
            "--no-progress", *(self.secured.flags() if self.secured else [])]
        self.sim = self.report = None

    def start(self):
        super().start()
        self.sim = subprocess.Popen(self.sim_command, stdout=open(self.directory / "sim.log", "wb"),
                                    stderr=subprocess.STDOUT)

    @staticmethod
    def print_heading():
        print(f"{'':>10} {'':<53}   rides:\n{'':>10} {'':<53}  MATCHING to pickup at pickup   on trip", flush=True)

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
        super().check_running()

    def wait(self, least, most):
        time.sleep(self.random.uniform(least, most))

    def come_to_rest(self, refusals=True):
        """The faults, as texts; empty if there are none. `refusals`: whether calls may be refused for good."""
        self.report, wrong = trial.come_to_rest(self.sim, [replica.service for replica in self.replicas], self.directory,
                                                self.options.length + 300)
        report = self.report
        refused = {what: count for what, count in report["counts"].items() if "unanswered" in what or "gave_up" in what}
        if not refusals and (refused or report["rejected"]):
            wrong.append(f"refused for good: {report['rejected']} requests, {refused}")
        stores = {kind: self.directory / f"{kind}.db" for kind in OTHER}
        for kind, path in stores.items():
            self.postgres.export(kind, path)
        verdict, judged_wrong = trial.judge(self.options.bin, self.directory, stores)
        trial.print_verdict(report, verdict)
        return wrong + judged_wrong

    def end(self):
        end_all([self.sim])
        super().end()
