#!/usr/bin/env python3
"""deploy/compose.cluster.yml as containers, under a misbehaving city, with the actions of an operator and with failures.

Builds the images, starts the cluster, and hail-sim on the port that the edge publishes on 127.0.0.1. While rides are
under way: a replica's process dies by SIGKILL and Docker starts it again; a container is killed and Compose brings it back;
PostgreSQL is stopped for a while, and killed; NATS is restarted; there are more replicas for a time; all of them are replaced
as docs/operations.md says; all certificates are; the edge is restarted. With --rolling only what an operator does to replicas
and certificates is done, and then no call may be refused for good. Between the steps the edge must have removed stopped replicas and added new ones. In the
end hail-check judges the ledgers of the clients and the data in PostgreSQL.

The cluster is secured. Before the first ride the test looks for ways around that: calls without the edge's certificate or a
token, and keys in containers whose they are not.

Needs Docker, Compose of either generation, and ports 8080 and 8443. Images that cannot be pulled are built from Debian's
and PyPI's packages (engines/Dockerfile), under their names while the test runs. Leaves no container, but the images hail/*.

Exit status: 0 if all happened as planned, and hail-sim and hail-check are content; 77 without Docker.
"""
import argparse
import csv
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/tools"))
import trial  # noqa: E402
from postgres import export  # noqa: E402
from trial import Failure  # noqa: E402
from two_services import epoch  # noqa: E402

ENGINES = {"postgres": "postgres:15", "nats": "nats:2.11", "node": "node:22-bookworm-slim",
           "envoy": "envoyproxy/envoy:v1.40.0"}
SERVICES = {"rider": "rider-service", "driver": "driver-service"}
# The services' ports: for the edge, and for the other service and operators.
PUBLIC = {"rider-service": 50051, "driver-service": 50052}
INTERNAL = {"rider-service": 50061, "driver-service": 50062}
# Every private key that a process could read, by its content: where the images and compose can have put a file.
PRIVATE_KEYS = """find / \\( -path /proc -o -path /sys \\) -prune -o -type f -size -64k -print0 2>/dev/null |
xargs -0 -r grep -sElZ '^-----BEGIN [A-Z ]*PRIVATE KEY-----' | xargs -0 -r sha256sum"""
# Prints what the edge's admin port says at the path $0. Envoy's image has few programs, but bash.
ADMIN = """exec 3<>/dev/tcp/127.0.0.1/9901
printf 'GET %s HTTP/1.1\\r\\nHost: edge\\r\\nConnection: close\\r\\n\\r\\n' "$0" >&3
while IFS= read -r line <&3; do echo "$line"; done"""
HEALTHY = re.compile(r"cluster\.(rider|driver)-service\.membership_healthy: (\d+)")


def run(*command, check=True, timeout=900, **kwargs):
    """Its output, with its errors."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False,
                          **kwargs)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def succeeds(*command, timeout=60):
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout,
                              check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


class Cluster:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.project = f"hail-cluster-{os.getpid()}"
        self.sim = f"{self.project}-sim"
        self.begin = time.time()
        self.compose_command = ["docker", "compose"] if succeeds("docker", "compose", "version") else ["docker-compose"]
        self.compose_command += ["-p", self.project, "-f", "docker-compose.yml", "-f", "deploy/compose.cluster.yml"]
        self.anchor = ""
        self.secrets = directory / "secrets"
        self.borrowed = []
        self.steps = 0

    # --- Docker ---

    def compose(self, *arguments):
        return run(*self.compose_command, *arguments, cwd=ROOT, timeout=3600,
                   env={**os.environ, "TIME_SCALE": str(self.options.speed), "TIME_ANCHOR": self.anchor,
                        "HAIL_SECRETS": str(self.secrets)})

    def containers(self, service, every=False):
        """Ids, the oldest first; `every`: includes stopped containers."""
        listed = run("docker", "ps", "-q", "--no-trunc", *(["-a"] if every else []), "--filter",
                     f"label=com.docker.compose.project={self.project}", "--filter",
                     f"label=com.docker.compose.service={service}").split()
        return sorted(listed, key=lambda name: self.inspect(name)["Created"])

    @staticmethod
    def inspect(container):
        return json.loads(run("docker", "inspect", container))[0]

    def container(self, service):
        return self.containers(service, every=True)[0]

    @staticmethod
    def tools(*arguments):
        return succeeds("docker", "run", "--rm", "--network", "host", "hail/tools", *arguments)

    # --- Observations ---

    def rows(self, select):
        text = run("docker", "exec", self.container("postgres"), "psql", "-U", "hail", "-d", "hail", "-q", "-v",
                   "ON_ERROR_STOP=1", "-c", f"COPY ({select}) TO STDOUT (FORMAT csv, NULL '\\N')")
        return [[None if value == "\\N" else value for value in row] for row in csv.reader(io.StringIO(text))]

    def admin(self, path):
        return run("docker", "exec", self.container("edge"), "bash", "-c", ADMIN, path, check=False)

    def certificates(self):
        """The serial numbers of those that the edge has: its own, and the authority's."""
        return set(re.findall(r'"serial_number": "(\w+)"', self.admin("/certs")))

    def in_turn(self):
        """How many replicas of each service the edge has."""
        counts = self.admin("/stats?filter=membership_healthy")
        return {kind: int(count) for kind, count in HEALTHY.findall(counts)}

    def say(self, what):
        try:
            rows = self.rows("SELECT state, COUNT(*) FROM hail_rider.rides WHERE state < 7 GROUP BY state")
            counts = {int(state): int(count) for state, count in rows}
            rides = " ".join(f"{counts.get(state, 0):>9}" for state in (2, 3, 4, 5))
        except Failure:
            rides = f"{'-':>9} " * 4
        print(f"{time.time() - self.begin:>7.1f} s  {what:<60} {rides}", flush=True)

    def await_that(self, what, holds, seconds=60):
        begin = time.time()
        while not holds():
            if time.time() - begin > seconds:
                raise Failure(f"after {seconds} s this still does not hold: {what}; the edge has {self.in_turn()}")
            time.sleep(0.2)
        self.say(f"  {what}: {time.time() - begin:.1f} s")

    def await_in_turn(self, rider, driver):
        self.await_that(f"the edge has {rider} + {driver}", lambda: self.in_turn() == {"rider": rider, "driver": driver})

    def await_healthy(self, *containers):
        def healthy():
            return all(self.inspect(name)["State"].get("Health", {}).get("Status") == "healthy" for name in containers)
        self.await_that("healthy", healthy)

    # --- Actions ---

    def get_images(self):
        for engine, image in ENGINES.items():
            if succeeds("docker", "image", "inspect", image):
                continue
            if succeeds("docker", "pull", image, timeout=300):
                continue
            stand_in = f"hail/stand-in-{engine}"
            print(f"{image} is not available: using a stand-in from packages", flush=True)
            run("docker", "build", "--target", engine, "-t", stand_in, str(ROOT / "tests/containers/engines"))
            run("docker", "tag", stand_in, image)
            self.borrowed.append(image)
        if not self.options.built:
            self.compose("--profile", "demo", "build")

    def apart(self):
        """The networks hold: no app's neighbour reaches a service, and no secret is in a variable or on a command line."""
        networks = {service: set(self.inspect(self.container(service))["NetworkSettings"]["Networks"])
                    for service in (*SERVICES.values(), "edge", "console", "postgres", "nats")}
        for one, other in (("console", "rider-service"), ("console", "driver-service"), ("edge", "postgres"), ("edge", "nats"),
                           ("console", "postgres")):
            if networks[one] & networks[other]:
                raise Failure(f"{one} and {other} share {networks[one] & networks[other]}")
        for service in networks:
            found = self.inspect(self.container(service))["HostConfig"]
            if found["PidsLimit"] != 512 or not found["Memory"] or not found["NanoCpus"] or not found["ReadonlyRootfs"]:
                raise Failure(f"{service} lacks a limit: {found['PidsLimit']} {found['Memory']} {found['NanoCpus']}")
        word = (self.secrets / "db-password").read_text().strip()
        for service in networks:
            if word in json.dumps(self.inspect(self.container(service))):
                raise Failure(f"`docker inspect` shows the password in {service}")

    def served(self, address, *arguments, party=None, patience=5):
        """Whether hailctl is, in a container beside the services with the files of a party."""
        volume = ["--volume", f"{self.project}_{party}-files:/etc/hail:ro"] if party else []
        return succeeds("docker", "run", "--rm", "--network", f"{self.project}_internal", *volume, "hail/tools", "--timeout", str(patience),
                        "health", address, *arguments)

    def certified(self):
        """A service serves who shows the right certificate, and nobody else."""
        authority = ["--tls-ca", "/etc/hail/tls/ca.crt"]
        own = [*authority, "--tls-certificate", "/etc/hail/tls/tls.crt", "--tls-key", "/etc/hail/tls/tls.key"]
        for ports, party, others in (
                (PUBLIC, "edge", ("operator", *SERVICES.values())), (INTERNAL, "operator", ("edge",))):
            for service, port in ports.items():
                address = f"{service}:{port}"
                if not self.served(address, *own, party=party, patience=50):
                    raise Failure(f"{address} does not serve {party}")
                wrong = ["in the clear"] if self.served(address) else []
                wrong += ["without a certificate"] if self.served(address, *authority, party=party) else []
                wrong += [f"as {other}" for other in others if self.served(address, *own, party=other)]
                if wrong:
                    raise Failure(f"{address} serves who calls {', '.join(wrong)}")
        clear = self.rows("SELECT COUNT(*), COUNT(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                          "WHERE client_addr IS NOT NULL")[0]
        if clear[0] == "0" or clear[1] != "0":
            raise Failure(f"of {clear[0]} connections to PostgreSQL {clear[1]} have no TLS")
        self.say("the services serve the edge and operators, each at its port alone")

    def asked_for_tokens(self):
        """A call through the edge needs a token, and a rider's is for this rider's calls."""
        def reason(token=None):
            call = urllib.request.Request("http://127.0.0.1:8080/v1/riders/ada/rides",
                                          headers={"Authorization": f"Bearer {token}"} if token else {})
            try:
                with urllib.request.urlopen(call, timeout=30):
                    return None
            except urllib.error.HTTPError as error:
                return json.loads(error.read())["details"][0]["reason"]
        ada, bob = (self.compose("run", "--rm", "-T", "edge-files", "token", "rider", who).split()[-1] for who in ("ada", "bob"))
        found = [reason(), reason(bob), reason(ada)]
        if found != ["TOKEN_MISSING", "IDENTITY_MISMATCH", None]:
            raise Failure(f"without a token, with another's, with one's own: {found}")
        self.say("a call needs a token, and the right one")

    def keys_apart(self):
        """In no container can a key of another be read, nor one that signs."""
        def digests(*command):
            listed = run("docker", *command, "sh", "-c", PRIVATE_KEYS)
            return {line.split(maxsplit=1)[1]: line.split()[0] for line in listed.splitlines()}
        keys = digests("run", "--rm", "--volume", f"{self.project}_keys:/etc/hail/edge:ro", "--entrypoint", "", "hail/edge-files")
        own = {name: keys[f"/etc/hail/edge/services/{name}/tls.key"] for name in (*SERVICES.values(), "edge", "postgres")}
        for service in (*own, "console"):
            allowed = {own.get(service), *([keys["/etc/hail/edge/tls.key"]] if service == "edge" else [])}
            found = digests("exec", self.container(service))
            if not set(found.values()) <= allowed or (service in own and own[service] not in found.values()):
                raise Failure(f"{service} can read the keys {sorted(found)}")
        self.say("each container has its own keys alone")

    def start(self):
        self.get_images()
        run(str(ROOT / "deploy/secrets"), str(self.secrets))
        self.begin = time.time()
        self.anchor = f"{self.begin:.0f}:{epoch('2008-05-22T18:00:00-07:00'):.0f}"
        self.compose("up", "-d")
        self.say("compose up")
        self.apart()
        self.await_in_turn(2, 2)
        self.certified()
        self.asked_for_tokens()
        self.keys_apart()
        self.await_that("hailctl health through the published port",
                        lambda: self.tools("--timeout", "2", "health", "127.0.0.1:8080"))
        options = self.options
        run("docker", "run", "-d", "--name", self.sim, "--network", "host", "--volume",
            f"{self.project}_apps-files:/etc/hail:ro", "--entrypoint", "hail-sim", "hail/tools",
            "--rider", "127.0.0.1:8080", "--driver", "127.0.0.1:8080", "--token-key", "/etc/hail/tokens/token.key",
            "--ledger", "/data/ledger", "--report", "/data/report.json", "--speed", str(options.speed), "--anchor", self.anchor, "--seed", str(options.seed),
            "--length", str(options.length), "--drivers", str(options.drivers), "--rides", str(options.rides),
            "--quiet", "60", "--no-progress")

    def step(self, what):
        time.sleep(self.options.calm)
        if not self.inspect(self.sim)["State"]["Running"]:
            raise Failure("hail-sim ended before the plan did: make --length longer")
        self.say(what)
        self.steps += 1

    def kill_process(self, service):
        self.step(f"SIGKILL for a {service}: Docker starts it again")
        killed = self.containers(service)[0]
        restarts = self.inspect(killed)["RestartCount"]
        # Docker's init is process 1, and a signal from inside the container cannot kill it.
        run("docker", "exec", killed, "sh", "-c",
            f'for p in /proc/[0-9]*; do case $(cat $p/comm) in {service[:15]}) kill -9 ${{p#/proc/}};; esac; done', check=False)
        self.await_that("it was started again", lambda: self.inspect(killed)["RestartCount"] > restarts)
        self.await_in_turn(2, 2)

    def kill_container(self, service):
        self.step(f"docker kill for a {service}: it stays away")
        run("docker", "kill", self.containers(service)[0])
        left = {"rider": 2, "driver": 2}
        left[service.split("-", maxsplit=1)[0]] = 1
        self.await_in_turn(**left)
        self.step("compose up brings it back")
        self.compose("up", "-d")
        self.await_in_turn(2, 2)

    def postgres_away(self):
        self.step("PostgreSQL is stopped for 20 s")
        before = {name: self.inspect(name)["RestartCount"] for service in SERVICES.values()
                  for name in self.containers(service)}
        run("docker", "stop", self.container("postgres"))
        self.await_in_turn(0, 0)
        time.sleep(20)
        run("docker", "start", self.container("postgres"))
        self.await_in_turn(2, 2)
        for name, restarts in before.items():
            if self.inspect(name)["RestartCount"] != restarts:
                raise Failure("a replica was restarted because PostgreSQL was away")

    def postgres_crash(self):
        self.step("PostgreSQL is killed and started")
        run("docker", "kill", self.container("postgres"))
        run("docker", "start", self.container("postgres"))
        self.await_healthy(self.container("postgres"))
        self.await_in_turn(2, 2)

    def restart_nats(self):
        self.step("NATS is restarted")
        run("docker", "restart", self.container("nats"))

    def restart_edge(self):
        self.step("the edge is restarted")
        begin = time.time()
        run("docker", "restart", self.container("edge"))
        self.say(f"  restarted: {time.time() - begin:.1f} s")
        self.await_in_turn(2, 2)

    def renew_certificates(self):
        self.step("new certificates for the services and the edge")

        def reloads():
            return [run("docker", "logs", name).count('"event":"tls_reloaded"')
                    for service in SERVICES.values() for name in self.containers(service)]
        before, known = reloads(), self.certificates()
        renewed = [word for party in (*SERVICES.values(), "edge") for word in ("--renew", party)]
        self.compose("run", "--rm", "-T", "edge-files", "services", "/etc/hail/edge/services", *renewed)
        self.compose("run", "--rm", "-T", "edge-files")
        self.await_that("each replica has its own", lambda: all(now > then for now, then in zip(reloads(), before)))
        # Of those that it had, it shows one to the services.
        self.await_that("the edge has its own", lambda: len(self.certificates() ^ known) == 2)
        self.await_in_turn(2, 2)

    def scale(self, replicas):
        self.step(f"{replicas} + {replicas} replicas")
        arguments = [word for service in SERVICES.values() for word in ("--scale", f"{service}={replicas}")]
        self.compose("up", "-d", "--no-recreate", *arguments)
        self.await_in_turn(replicas, replicas)

    def replace(self, service):
        """As docs/operations.md describes it."""
        self.step(f"new containers for {service}, beside the old")
        old = self.containers(service)
        self.compose("up", "-d", "--no-deps", "--no-recreate", "--scale", f"{service}={2 * len(old)}", service)
        new = [name for name in self.containers(service) if name not in old]
        self.await_healthy(*new)
        run("docker", "stop", "-t", "20", *old)
        codes = [self.inspect(name)["State"]["ExitCode"] for name in old]
        if any(codes):
            raise Failure(f"{service} did not drain: exit {codes}")
        run("docker", "rm", *old)
        self.await_in_turn(2, 2)

    def carry_out(self):
        print(f"{'':>10} {'':<61}   rides:\n{'':>10} {'':<61}  MATCHING to pickup at pickup   on trip", flush=True)
        rider, driver = SERVICES.values()
        # The replicas that come after it know nothing but the new certificates.
        replicas = [self.renew_certificates, lambda: self.scale(4), lambda: self.scale(2), lambda: self.replace(rider),
                    lambda: self.replace(driver)]
        plan = {
            "process": [lambda: self.kill_process(rider), lambda: self.kill_process(driver)],
            "container": [lambda: self.kill_container(rider), lambda: self.kill_container(driver)],
            "nats": [self.restart_nats],
            "postgres": [self.postgres_away, self.postgres_crash],
            "replicas": replicas,
            "edge": [self.restart_edge]}
        for what in self.options.only or (["replicas"] if self.options.rolling else plan):
            for step in plan[what]:
                step()
        self.say("all is well again")

    def come_to_rest(self):
        """The faults found, in words; empty if there are none."""
        wrong = []
        try:
            status = int(run("docker", "wait", self.sim, timeout=self.options.length + 300))
        except subprocess.TimeoutExpired:
            raise Failure("hail-sim does not end") from None
        if status != 0:
            wrong.append(f"hail-sim: exit {status}")
        for service in SERVICES.values():
            names = self.containers(service)
            self.compose("stop", service)
            codes = [self.inspect(name)["State"]["ExitCode"] for name in names]
            if any(codes):
                wrong.append(f"{service} did not drain: exit {codes}")
        run("docker", "cp", f"{self.sim}:/data/report.json", str(self.directory / "report.json"))
        report = json.loads((self.directory / "report.json").read_text())
        refused = {what: count for what, count in report["counts"].items() if "unanswered" in what or "gave_up" in what}
        if self.options.rolling and (refused or report["rejected"]):
            wrong.append(f"refused for good: {report['rejected']} requests, {refused}")
        if report["in_progress"] != 0 or report["lost"] != 0:
            wrong.append(f"{report['in_progress']} rides in progress, {report['lost']} lost")
        for kind in SERVICES:
            export(self.rows, kind, self.directory / f"{kind}.db")
            run("docker", "cp", str(self.directory / f"{kind}.db"), f"{self.sim}:/data/")
        judged = subprocess.run(
            ["docker", "run", "--rm", "--volumes-from", self.sim, "--entrypoint", "hail-check", "hail/tools", "/data/ledger",
             "--rider-db", "/data/rider.db", "--driver-db", "/data/driver.db"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if judged.returncode != 0:
            wrong.append(f"hail-check: exit {judged.returncode}")
        trial.print_verdict(report, judged.stdout)
        print(f"{self.steps} steps, {time.time() - self.begin:.0f} s")
        return wrong

    def keep(self):
        """Keeps all logs that may show the cause of a failure."""
        names = [self.sim] + [name for service in (*SERVICES.values(), "edge", "postgres", "nats")
                              for name in self.containers(service, every=True)]
        for name in names:
            log = run("docker", "logs", "--timestamps", name, check=False)
            title = self.inspect(name)["Name"].strip("/") if succeeds("docker", "inspect", name) else name
            (self.directory / f"{title}.log").write_text(log)
        run("docker", "cp", f"{self.sim}:/data/ledger", str(self.directory), check=False)

    def end(self):
        try:
            self.keep()
        except Failure as failure:
            print(f"not all logs are kept: {failure}")
        run("docker", "rm", "-f", "-v", self.sim, check=False)
        run(*self.compose_command, "down", "--volumes", "--remove-orphans", "--timeout", "1", cwd=ROOT, check=False,
            env={**os.environ, "HAIL_SECRETS": str(self.secrets)})
        for image in self.borrowed:
            # Remove only its name: the built layers stay for the next run.
            run("docker", "rmi", image, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rolling", action="store_true", help="nothing but what an operator does to replicas")
    parser.add_argument("--only", nargs="+", choices=["process", "container", "nats", "postgres", "replicas", "edge"],
                        help="a part of it")
    parser.add_argument("--built", action="store_true", help="the images hail/* are there: build none")
    parser.add_argument("--seed", type=int, default=1, help="of the city (1)")
    parser.add_argument("--speed", type=float, default=10, help="domain seconds a wall second (10)")
    parser.add_argument("--length", type=float, help="wall seconds in which the rides take place, about (210; rolling 120)")
    parser.add_argument("--drivers", type=int, default=350)
    parser.add_argument("--rides", type=int, help="(1000; rolling 600)")
    parser.add_argument("--calm", type=float, default=4, help="seconds between two steps (4)")
    parser.add_argument("--keep", type=pathlib.Path, help="directory for logs, ledgers, stores; kept")
    options = parser.parse_args()
    options.length = options.length or (120 if options.rolling else 210)
    options.rides = options.rides or (600 if options.rolling else 1000)
    if not succeeds("docker", "version"):
        print("compose test: there is no Docker engine to reach (DOCKER_HOST, or the local one); nothing was tested",
              file=sys.stderr)
        return 77
    if not succeeds("docker", "compose", "version") and not succeeds("docker-compose", "version"):
        print("compose test: there is no Compose; nothing was tested", file=sys.stderr)
        return 77

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return trial.run("compose", options.keep, lambda directory: Cluster(options, directory))


if __name__ == "__main__":
    sys.exit(main())
