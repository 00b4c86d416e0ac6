#!/usr/bin/python3
"""Clients in Go, Java, TypeScript and Python take rides, by the rules of docs/clients.md, while the services are killed,
stopped and frozen.

    other_languages_test.py BIN_DIR
    other_languages_test.py BIN_DIR --pairs go+java,python+python

With BIN_DIR the services are the test's own, and so is an edge, which needs Envoy (`make edge-tools`). Without it the ride
goes to services that run already, or through an edge:

    other_languages_test.py --address localhost:8443 --ca ca.crt --rider ada --rider-token-file ada.jwt \\
        --driver grace --driver-token-file grace.jwt --disturb 'restart-something'

A pair is the language of the rider's app and of the driver's. Riders: go, typescript, typescript-web (gRPC-Web, through
an edge only), python. Drivers: java, python. The test builds what the pairs need; --no-build takes what is there. A
missing toolchain fails the test: nothing is skipped.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
import unittest
import uuid

import edge_test
import hail_services
import other_languages

OPTIONS = None
PAIRS = "go+java,typescript+java,python+python"


def pairs():
    return [pair.partition("+")[::2] for pair in OPTIONS.pairs.split(",")]


def a_name(side):
    return f"{side}-{uuid.uuid4().hex[:8]}"


def setUpModule():
    if not OPTIONS.no_build:
        other_languages.build({name for pair in pairs() for name in pair})


class OwnServices(unittest.TestCase):
    def setUp(self):
        self._running = hail_services.running(
            OPTIONS.bin_dir, rider={"listen": f"127.0.0.1:{hail_services.free_port()}"},
            driver={"listen": f"127.0.0.1:{hail_services.free_port()}"})
        self.services = self._running.__enter__()
        self.addCleanup(self._running.__exit__, None, None, None)

    def options(self, side, person):
        return ["--address", getattr(self.services, side), "--insecure", "--id", person]

    def crash(self, service):
        service.kill()
        service.start()
        service.await_ports()

    def restart(self, service):
        self.assertEqual(service.stop(), 0)
        service.start()
        service.await_ports()

    def test_no_event_is_missed_when_services_die_and_restart(self):
        for rider, driver in pairs():
            with self.subTest(rider=rider, driver=driver):
                resumed = other_languages.take_a_ride(
                    rider, driver, self.options("rider", a_name("ada")), self.options("driver", a_name("grace")), {
                        ("rider", 3): lambda: self.crash(self.services.rider_service),
                        ("driver", 4): lambda: self.crash(self.services.driver_service),
                        ("rider", 5): lambda: self.restart(self.services.rider_service),
                        ("driver", 5): lambda: self.restart(self.services.driver_service),
                    })
                # Else the disturbances missed the streams.
                self.assertGreaterEqual(resumed["rider"], 2)
                self.assertGreaterEqual(resumed["driver"], 2)

    def test_a_driver_reads_what_happened_without_it(self):
        """The ride is canceled while no driver can be connected: only the cursor brings the event."""
        for rider, driver in {driver: (rider, driver) for rider, driver in pairs()}.values():
            with self.subTest(rider=rider, driver=driver), other_languages.Apps(seconds=90) as apps:
                driver_app = apps.start(driver, "driver", [*self.options("driver", a_name("grace")), "--pace", "3000"])
                apps.wait_for(driver_app, lambda line: line.get("status") == "DRIVER_STATUS_AVAILABLE")
                rider_id = a_name("ada")
                ride = apps.wait_for(apps.start(rider, "rider", self.options("rider", rider_id)),
                                     lambda line: line["kind"] == "ride")
                apps.wait_for(driver_app, lambda line: line["kind"] == "event" and line["sequence"] == 4)
                self.services.driver_service.kill()
                subprocess.run([f"{OPTIONS.bin_dir}/hailctl", "--rider", self.services.rider, "ride", "cancel",
                                ride["ride_id"], "--rider-id", rider_id], check=True, capture_output=True, text=True)
                self.services.driver_service.start()
                event = apps.wait_for(driver_app, lambda line: line["kind"] == "event")
                self.assertEqual((event["sequence"], event["type"]), (5, "RIDE_EVENT_TYPE_CANCELED"))
                self.assertEqual(apps.wait_for(driver_app, lambda line: line["kind"] == "exit")["status"], 0)

    def test_a_refusal_is_an_answer(self):
        for rider in sorted({rider for rider, _ in pairs()}):
            with self.subTest(rider=rider), other_languages.Apps(seconds=20) as apps:
                app = apps.start(rider, "rider", self.options("rider", "white space"))
                error = apps.wait_for(app, lambda line: line["kind"] == "error")
                self.assertEqual(error["reason"], "INVALID_FIELD")
                self.assertEqual(apps.wait_for(app, lambda line: line["kind"] == "exit")["status"], 1)

    def test_a_replaced_driver_stays_away(self):
        for driver in sorted({driver for _, driver in pairs()}):
            with self.subTest(driver=driver), other_languages.Apps(seconds=60) as apps:
                options = self.options("driver", a_name("grace"))
                first = apps.start(driver, "driver", options)
                apps.wait_for(first, lambda line: line.get("status") == "DRIVER_STATUS_AVAILABLE")
                apps.start(driver, "driver", options)
                apps.wait_for(first, lambda line: line["kind"] == "replaced")
                self.assertEqual(apps.wait_for(first, lambda line: line["kind"] == "exit")["status"], 3)

    def test_a_silent_stream_is_dead(self):
        with other_languages.Apps(seconds=120) as apps:
            for rider in sorted({rider for rider, _ in pairs()}):
                app = apps.start(rider, "rider", self.options("rider", a_name("ada")))
                apps.wait_for(app, lambda line: line["kind"] == "ride")
            for driver in sorted({driver for _, driver in pairs()}):
                app = apps.start(driver, "driver", self.options("driver", a_name("grace")))
                apps.wait_for(app, lambda line: line["kind"] == "snapshot")
            silent = {app.name for app in apps.all()}
            frozen = (self.services.rider_service.pid, self.services.driver_service.pid)
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                while silent:
                    app, line = apps.next()
                    self.assertNotEqual(line["kind"], "exit", app.name)
                    if line["kind"] == "resume":
                        silent.discard(app.name)
                # Before the pings of the connection notice: they take 40 s.
                self.assertLess(time.monotonic() - began, 30)
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)


class ThroughTheEdge(edge_test.EdgeTest):
    """With TLS and tokens."""

    def options(self, side, person):
        token = self.edge.root.parent / f"{person}.jwt"
        token.write_text(self.edge.token(side, person))
        return ["--address", self.edge.tls, "--ca", str(self.edge.root), "--token-file", str(token), "--id", person]

    def crash(self, service):
        service.kill()
        service.start()
        service.await_ports()

    def restart_edge(self):
        self.edge.stop()
        self.edge.start()

    def test_no_event_is_missed_when_the_edge_and_services_die(self):
        for rider, driver in pairs():
            if rider == "typescript":
                rider = "typescript-web"  # As a browser would.
            with self.subTest(rider=rider, driver=driver):
                resumed = other_languages.take_a_ride(
                    rider, driver, self.options("rider", a_name("ada")), self.options("driver", a_name("grace")), {
                        ("rider", 3): lambda: self.crash(self.services.rider_service),
                        ("driver", 4): lambda: self.crash(self.services.driver_service),
                        ("rider", 5): self.restart_edge,
                    })
                self.assertGreaterEqual(resumed["rider"], 2)
                self.assertGreaterEqual(resumed["driver"], 2)


class RunningServices(unittest.TestCase):
    def options(self, side):
        words = ["--address", OPTIONS.address, "--id", getattr(OPTIONS, side) or a_name(side)]
        token_file = getattr(OPTIONS, f"{side}_token_file")
        return (words + (["--insecure"] if OPTIONS.insecure else []) + (["--ca", OPTIONS.ca] if OPTIONS.ca else [])
                + (["--token-file", token_file] if token_file else []))

    def test_no_event_is_missed(self):
        def disturb():
            subprocess.run(OPTIONS.disturb, shell=True, check=True, stdin=subprocess.DEVNULL)

        for rider, driver in pairs():
            with self.subTest(rider=rider, driver=driver):
                resumed = other_languages.take_a_ride(
                    rider, driver, self.options("rider"), self.options("driver"),
                    {("rider", 3): disturb} if OPTIONS.disturb else {})
                print(f"{rider} rider, {driver} driver: resumed {resumed}")


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", nargs="?")
    parser.add_argument("--pairs", default=PAIRS, help=f"default: {PAIRS}")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--address", help="HOST:PORT of an edge, instead of services of the test's own")
    parser.add_argument("--ca", help="PEM file of the edge's certificate authority")
    parser.add_argument("--insecure", action="store_true", help="the edge's port has no TLS")
    for side in ("rider", "driver"):
        parser.add_argument(f"--{side}", help=f"the {side}'s id; a token's subject")
        parser.add_argument(f"--{side}-token-file")
    parser.add_argument("--disturb", help="a shell command, run when the rider has received event 3")
    parser.add_argument("-k", dest="names", action="append", help="only the tests whose name contains this")
    OPTIONS = parser.parse_args()
    if bool(OPTIONS.bin_dir) == bool(OPTIONS.address):
        parser.error("give either BIN_DIR or --address")
    for rider, driver in pairs():
        if not (other_languages.has_app(rider, "rider") and other_languages.has_app(driver, "driver")):
            parser.error(f"there is no pair {rider}+{driver}")
        if OPTIONS.bin_dir and rider == "typescript-web":
            parser.error("the services do not speak gRPC-Web; typescript takes its ride through the edge over it")
    edge_test.EdgeTest.bin_dir = OPTIONS.bin_dir
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in OPTIONS.names] if OPTIONS.names else None
    cases = (OwnServices, ThroughTheEdge) if OPTIONS.bin_dir else (RunningServices,)
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
    edge_test.report("clients", unittest.TextTestRunner(verbosity=2).run(suite))


if __name__ == "__main__":
    main()
