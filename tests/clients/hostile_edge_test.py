#!/usr/bin/python3
"""A stranger's attacks (hostile_attacks.py) on the edge, one after the other, beside a city of hail-sim and two callers with
20 calls a second each, all through the same edge. Their calls must all be answered, 99 of 100 within 50 ms (five
times that where SLOW says so), and the edge and both services must not take 256 MiB more than before. On a machine with
other work, --longest allows more than 50 ms.

    hostile_edge_test.py BIN_DIR [--seconds N] [--only ATTACK…] [--report FILE]
    hostile_edge_test.py BIN_DIR --direct          the same on the services' own ports, which no stranger may reach: nothing
                                                   is judged, and an attack ends once a service has taken 768 MiB more

The stranger comes from 127.0.0.2. All of it runs in a network of its own, with deploy/edge/connections.nft. Where the system
allows no such network, the attack by thousands of connections is left out. Needs nft, unshare, and Envoy: `make
edge-tools`, or ENVOY=PATH.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import grpc

import edge_test
import hail_services
from hostile_attacks import ADA, ATTACKS, METHODS

HERE = pathlib.Path(__file__).resolve().parent
SPEED = 40
# A Thursday evening in San Francisco, 18:00 there.
EVENING = 1211504400
MOST_MEMORY = 256
ENOUGH_MEMORY = 768
# Thousands of calls at once whose answers the edge must keep: for half a second others wait longer (docs/security.md).
SLOW = {"zero_window": 5}
# The edge's counters, and what the table calls them.
COUNTERS = {"http_local_rate_limit.rate_limited": "limited", "premature_resets": "cut for resets"}
# An attack on each service, except where its service makes no difference at the edge.
BOTH = {"bombs", "zero_window", "rapid_reset", "rapid_reset_streams", "one_subject", "many_subjects", "bad_headers"}


def enter_own_network():
    """Runs this program again, in a network that has nothing but a loopback interface. Returns where there is none."""
    if not shutil.which("nft", path=os.environ["PATH"] + ":/usr/sbin"):
        return
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            os.execvp(command[0], [*command, sys.executable, "-B", __file__, *sys.argv[1:], "--own-network"])


def begin_own_network():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING.
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
    subprocess.run(["nft", "-f", str(edge_test.ROOT / "deploy/edge/connections.nft")], check=True,
                   env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})


def memory(pid):
    """Private memory of a process, in MiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024


def probe(addresses, tokens):
    """A program of its own: makes 20 calls a second to each service, and prints for each when it began, how long it took and
    what came of it, until its input ends."""
    over = threading.Event()
    lock = threading.Lock()

    def call_now_and_then(service):
        number = 0
        with grpc.insecure_channel(addresses[service], [("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_unary(METHODS[service][0])
            while not over.is_set():
                metadata = [("authorization", "Bearer " + tokens[service][number % len(tokens[service])])] if tokens else []
                number += 1
                began = time.monotonic()
                try:
                    call(ADA, timeout=20, metadata=metadata)
                    outcome = "OK"
                except grpc.RpcError as error:
                    outcome = f"{error.code().name} {error.details()}"
                took = time.monotonic() - began
                with lock:
                    print(json.dumps([began, took, service, outcome]), flush=True)
                over.wait(max(0, 0.05 - took))

    threads = [threading.Thread(target=call_now_and_then, args=(service,)) for service in METHODS]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()


class Probe:
    """`calls`: [began, took, service, outcome] of each."""

    def __init__(self, addresses, tokens):
        self.calls = []
        self._process = subprocess.Popen(
            [sys.executable, "-B", __file__, "--probe", json.dumps([addresses, tokens])], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        edge_test.await_that(lambda: len(self.calls) > 20, "the calls beside are made")

    def _read(self):
        for line in self._process.stdout:
            self.calls.append(json.loads(line))

    def between(self, begin, end):
        """The calls that were under way then."""
        return [call for call in self.calls if call[0] <= end and call[0] + call[1] >= begin]

    def stop(self):
        self._process.stdin.close()
        self._process.wait()
        self._reader.join()


class Peak:
    """The most private memory of processes ({name: pid}) while it runs, above what they have `before`, in MiB."""

    def __init__(self, pids, before, enough=None, stop=None):
        """`stop` is called once a process has `enough`."""
        self._pids, self._enough, self._stop = pids, enough, stop
        self._before = before
        self.above = {name: 0.0 for name in pids}
        self.ended = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._over.wait(0.02):
            for name, pid in self._pids.items():
                try:
                    self.above[name] = max(self.above[name], memory(pid) - self._before[name])
                except (OSError, StopIteration):
                    if name not in self.ended:
                        self.ended.append(name)
                    continue
                if self._enough and self.above[name] > self._enough:
                    self._stop()

    def stop(self):
        self._over.set()
        self._thread.join()


class Hostile:
    def __init__(self, bin_dir, directory, seconds, longest, own_network):
        self.bin_dir, self.directory, self.seconds, self.own_network = bin_dir, directory, seconds, own_network
        self.longest = longest
        self.rows, self.wrong = [], []

    def start_services(self, stack, directory):
        clock = {"time_scale": SPEED, "time_anchor": f"{time.time():.0f}:{EVENING}", "log.level": "error"}
        services = hail_services.Services(
            self.bin_dir, directory, *({"listen": f"127.0.0.1:{hail_services.free_port()}", **clock} for _ in range(2)))
        stack.callback(services.stop)
        services.start()
        return services, clock["time_anchor"]

    def start_city(self, stack, address, anchor, length, *more):
        """160 rides in `length` seconds, and as many drivers."""
        report = self.directory / f"report-{len(self.rows)}.json"
        with open(self.directory / "sim.log", "ab") as log:
            city = subprocess.Popen(
                [str(self.bin_dir / "hail-sim"), "--rider", address["rider"], "--driver", address["driver"], "--no-progress",
                 "--speed", str(SPEED), "--anchor", anchor, "--drivers", "160", "--rides", str(int(160 * max(1, length / 60))),
                 "--length", str(length), "--report", str(report), *more], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(lambda: city.poll() is None and city.kill())
        return city, report

    def attack(self, name, service, fields, pids, before, enough=None):
        """Runs an attack. Returns what it counted, when it began and ended, and the peaks of memory."""
        # A stranger's processors are his own: here, what the attack computes must not slow down whom it attacks.
        attacker = subprocess.Popen(
            ["nice", "-n", "19", sys.executable, "-B", str(HERE / "hostile_attacks.py"), name,
             json.dumps({"service": service, **fields})], stdout=subprocess.PIPE, text=True)
        peak = Peak(pids, before, enough, attacker.kill)
        begin = time.monotonic()
        said, _ = attacker.communicate()
        end = time.monotonic()
        # What it left behind is still done.
        time.sleep(0.5)
        peak.stop()
        return json.loads(said) if said.strip() else {"stopped": 1}, (begin, end), peak

    def row(self, name, service, counts, calls, peak):
        took = sorted(call[1] for call in calls)
        refused = [call[3] for call in calls if call[3].split()[0] not in ("OK", "NOT_FOUND")]
        row = {"attack": name, "service": service, "counts": counts, "calls": len(calls), "refused": len(refused),
               "why": sorted(set(refused))[:3],
               "p50": took[len(took) // 2] if took else None, "p99": took[int(len(took) * 0.99)] if took else None,
               "max": took[-1] if took else None, "above": {key: round(value) for key, value in peak.above.items()},
               "ended": peak.ended}
        self.rows.append(row)
        print(line(row), flush=True)
        return row

    def judge(self, row, longest):
        what = f"{row['attack']} ({row['service']})"
        if row["refused"]:
            self.wrong.append(f"{what}: {row['refused']} of {row['calls']} calls of others had no answer: {row['why']}")
        if row["p99"] is None or row["p99"] > longest:
            self.wrong.append(f"{what}: 1 of 100 calls of others took longer than {longest * 1000:.0f} ms")
        for process, above in row["above"].items():
            if above > MOST_MEMORY:
                self.wrong.append(f"{what}: {process} took {above} MiB more")
        if row["ended"]:
            self.wrong.append(f"{what}: {row['ended']} ended")

    def through_the_edge(self, plan):
        with contextlib.ExitStack() as stack:
            services, anchor = self.start_services(stack, self.directory)
            edge = edge_test.Edge(self.directory, services.rider, services.driver, "--workers", "2")
            stack.callback(edge.stop)
            if self.own_network:
                # Those that the rules are for.
                edge.clear, edge.tls = "127.0.0.1:8080", "127.0.0.1:8443"
            edge.start().await_services()
            address = {service: edge.clear for service in METHODS}
            tokens = {service: [edge.token(service, f"eva-{number}") for number in range(50)] for service in METHODS}
            others = {service: [edge.token(service, f"bob-{number}") for number in range(5)] for service in METHODS}
            pids = {"edge": edge.pid, "rider": services.rider_service.pid, "driver": services.driver_service.pid}
            length = len(plan) * (self.seconds + 4.5) + 15
            city, report = self.start_city(stack, address, anchor, length, "--token-key", str(edge.token_key), "--quiet", "60")
            beside = Probe(address, others)
            stack.callback(beside.stop)
            # The city's drivers connect first.
            time.sleep(8)
            usual = {name: memory(pid) for name, pid in pids.items()}
            peak = Peak(pids, usual)
            begin = time.monotonic()
            time.sleep(self.seconds)
            peak.stop()
            quiet = beside.between(begin, time.monotonic())
            self.row("none", "-", {}, quiet, peak)
            fields = {"address": address, "source": "127.0.0.2", "seconds": self.seconds, "tokens": tokens, "tls": edge.tls}
            for name, service in plan:
                before = [self.number(edge, counter) for counter in COUNTERS]
                counts, (begin, end), peak = self.attack(name, service, fields, pids, usual)
                for counter, number in zip(COUNTERS, before):
                    counts[COUNTERS[counter]] = self.number(edge, counter) - number
                # A call that began in the attack has its answer.
                time.sleep(0.5)
                self.row(name, service, counts, beside.between(begin, end), peak)
                # The machine has other work, more or less of it. What remains of the attack is over after a second.
                time.sleep(0.5)
                begin = time.monotonic()
                time.sleep(1)
                quiet += beside.between(begin, begin + 0.8)
                if name == "forged_addresses" and counts["calls"] - counts["limited"] > 1200 + 1000 * (self.seconds + 1):
                    self.wrong.append(f"{name}: {counts['calls'] - counts['limited']} calls of one address were let through")
            status = city.wait(length + 180)
            said = json.loads(report.read_text())
            print(f"city: exit {status}, {said['completed']} of {said['requested']} rides completed, {said['lost']} lost, "
                  f"{said['in_progress']} in progress, {said['missed_events']} events missed")
            # The city judges its own calls: exit 0 if each was answered and no ride or event is lost.
            if status != 0 or said["lost"] or said["in_progress"] or said["missed_events"]:
                self.wrong.append(f"hail-sim: exit {status}")
            unanswered = {what: count for what, count in said["counts"].items() if "unanswered" in what or "gave_up" in what}
            if any(unanswered.values()):
                self.wrong.append(f"hail-sim: {unanswered}")
            usual = sorted(call[1] for call in quiet)[int(len(quiet) * 0.99)]
            print(f"without an attack 1 of 100 of others' {len(quiet)} calls took more than {usual * 1000:.0f} ms; with one they may "
                  f"take {self.longest * 1000:.0f} ms")
            for row in self.rows[1:]:
                self.judge(row, self.longest * SLOW.get(row["attack"], 1))

    def direct(self, plan):
        """New services for each attack."""
        for number, (name, service) in enumerate(plan):
            with contextlib.ExitStack() as stack:
                directory = self.directory / str(number)
                directory.mkdir()
                services, anchor = self.start_services(stack, directory)
                address = {"rider": services.rider, "driver": services.driver}
                pids = {"rider": services.rider_service.pid, "driver": services.driver_service.pid}
                self.start_city(stack, address, anchor, self.seconds + 10)
                beside = Probe(address, {})
                stack.callback(beside.stop)
                time.sleep(3)
                fields = {"address": address, "source": "127.0.0.2", "seconds": self.seconds, "tokens": {}}
                usual = {name: memory(pid) for name, pid in pids.items()}
                counts, (begin, end), peak = self.attack(name, service, fields, pids, usual, ENOUGH_MEMORY)
                time.sleep(0.5)
                self.row(name, service, counts, beside.between(begin, end), peak)

    @staticmethod
    def number(edge, name):
        """The sum of the edge's counters whose names have `name` in them."""
        said = edge.admin(f"/stats?filter={name}")
        return sum(int(each.rsplit(":", 1)[1]) for each in said.splitlines() if each)


def line(row):
    def milliseconds(value):
        return "-" if value is None else f"{value * 1000:.1f}"
    above = ", ".join(f"{name} {value}" for name, value in row["above"].items())
    counts = ", ".join(f"{name} {value}" for name, value in row["counts"].items() if value)
    return (f"| {row['attack']} | {row['service']} | {row['calls']} | {row['refused']} | {milliseconds(row['p50'])} | "
            f"{milliseconds(row['p99'])} | {milliseconds(row['max'])} | {above} | {counts} |")


HEAD = ("| attack | on | others' calls | refused | p50 ms | p99 ms | max ms | memory above, MiB | the stranger |\n"
        "|---|---|---|---|---|---|---|---|---|")


def main():
    if sys.argv[1:2] == ["--probe"]:
        probe(*json.loads(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=4, help="of each attack (4)")
    parser.add_argument("--longest", type=float, default=50, metavar="MS",
                        help="what 99 of 100 calls of others may take during an attack (50)")
    parser.add_argument("--only", nargs="+", choices=sorted(ATTACKS))
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--own-network", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=pathlib.Path, help="gets the rows, as JSON")
    arguments = parser.parse_args()
    if arguments.own_network:
        begin_own_network()
    else:
        enter_own_network()
    # 20,000 connections, at both ends.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 16, 1 << 16))
    names = arguments.only or list(ATTACKS)
    if arguments.direct:
        names = [name for name in names if name not in ("handshakes", "forged_addresses")]
    if not arguments.own_network and "connections" in names:
        print("left out: connections, because this system lets nobody have a network of his own, or has no nft")
        names.remove("connections")
    plan = [(name, service) for name in names for service in METHODS if service == "rider" or name in BOTH]
    with tempfile.TemporaryDirectory(prefix="hail-test-") as directory:
        hostile = Hostile(arguments.bin_dir.resolve(), pathlib.Path(directory), arguments.seconds, arguments.longest / 1000,
                          arguments.own_network)
        print(HEAD, flush=True)
        (hostile.direct if arguments.direct else hostile.through_the_edge)(plan)
    if arguments.report:
        arguments.report.parent.mkdir(parents=True, exist_ok=True)
        arguments.report.write_text(json.dumps(hostile.rows, indent=1) + "\n")
    for problem in hostile.wrong:
        print(f"WRONG: {problem}")
    kind = "hostile-direct" if arguments.direct else "hostile-edge"
    print(f"{kind}: {len(plan) - len({problem.split(':')[0] for problem in hostile.wrong})} passed, {len(hostile.wrong)} wrong")
    return 1 if hostile.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
