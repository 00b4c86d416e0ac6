#!/usr/bin/python3
"""Uses `hail-sim --sandbox` as the authors of a rider's app and of a driver's app do: over the public calls.

    sandbox_test.py BIN_DIR
"""

import concurrent.futures
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid

import hail_services
from grpc_reflection import CallError, Client

RIDER = "hail.rider.v1.RiderService/"
DRIVER = "hail.driver.v1.DriverService/"
AROUND = {"latitude_deg": 37.7936, "longitude_deg": -122.3965}
# 110 m away.
DROPOFF = {"latitude_deg": 37.7946, "longitude_deg": -122.3965}
# Enough for all the rides of a test at once, with three for one that is declined.
DRIVERS = 14
# In which a thing happens that need not take a second.
PATIENCE = 60
TO_THE_END = ["REQUESTED", "ASSIGNED", "ASSIGNMENT_SEEN", "ARRIVED_AT_PICKUP", "STARTED", "COMPLETED"]


class Sandbox:
    """A run of `hail-sim --sandbox`."""

    def __init__(self, test, *words):
        self._process = subprocess.Popen(
            [str(test.hail_sim), "--sandbox", "--speed", str(test.speed), "--anchor", test.anchor, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._changed = threading.Condition()
        self._lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        test.addCleanup(self.stop)

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()

    def lines(self, *words):
        """The lines so far with all these words."""
        with self._changed:
            return [line for line in self._lines if all(word in line for word in words)]

    def wait_for(self, *words):
        with self._changed:
            if not self._changed.wait_for(
                    lambda: any(all(word in line for word in words) for line in self._lines), PATIENCE):
                raise AssertionError(f"no line with {words}:\n{''.join(self._lines)}")
        return self.lines(*words)

    def stop(self):
        """The exit status, and the seconds from SIGTERM to the end."""
        began = time.monotonic()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._reader.join(PATIENCE)
            self._process.stdout.close()
        return status, time.monotonic() - began


class WithServices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hail_sim = pathlib.Path(cls.bin_dir) / "hail-sim"
        now = int(time.time())
        cls.anchor = f"{now}:{now}"
        clock = {"time_scale": cls.speed, "time_anchor": cls.anchor}
        running = hail_services.running(
            cls.bin_dir, rider={**clock, "ride.match_deadline": "120s", "ride.offer_time": "60s"}, driver=clock)
        cls.services = running.__enter__()
        cls.addClassCleanup(running.__exit__, None, None, None)
        cls.riders, cls.drivers = Client(cls.services.rider), Client(cls.services.driver)
        cls.addClassCleanup(cls.riders.close)
        cls.addClassCleanup(cls.drivers.close)

    def place(self):
        return f"{AROUND['latitude_deg']},{AROUND['longitude_deg']}"


class RidersApp(WithServices):
    """The author of a rider's app: scripted drivers, labels on rides."""

    speed = 10

    def sandbox(self):
        sandbox = Sandbox(self, "--rider", self.services.rider, "--driver", self.services.driver, "--rider-internal",
                          self.services.rider_internal, "--around", self.place(), "--radius", "60",
                          "--drivers", str(DRIVERS))
        sandbox.wait_for(f"ready: {DRIVERS} drivers, 0 riders")
        return sandbox

    def request(self, label):
        rider = f"ada-{uuid.uuid4().hex[:12]}"
        return self.riders.unary(RIDER + "RequestRide", {
            "rider_id": rider, "request_id": "1", "pickup": {"position": AROUND}, "dropoff": {"position": DROPOFF},
            "product_id": "economy", "labels": {} if label is None else {"sandbox": label}})["ride"]

    def watch(self, ride, seen=lambda what, body: None):
        """The ride's events, by type, and the ride as it ended."""
        events = []
        for message in self.riders.server_stream(RIDER + "WatchRide", {
                "rider_id": ride["rider_id"], "ride_id": ride["ride_id"], "after_sequence": "0"}, timeout=PATIENCE):
            (what, body), = message.items()
            if what == "event":
                events.append(body)
            seen(what, body)
        return [event["type"].removeprefix("RIDE_EVENT_TYPE_") for event in events], events

    def test_each_label_has_its_outcome(self):
        sandbox = self.sandbox()
        labels = (None, "accept", "decline-3", "cancel-before-arrival", "cancel-at-pickup", "wait-at-pickup",
                  "never-move", "no-driver", "acept")
        listed = subprocess.run([self.hail_sim, "--scripts-markdown", "rides"], check=True, capture_output=True,
                                text=True, stdin=subprocess.DEVNULL).stdout
        self.assertLessEqual(set(re.findall(r"^\| `([a-z0-9-]+)`", listed, re.M)), set(labels) | {"sandbox"})
        rides = {label: self.request(label) for label in labels}
        where = []

        def stands(what, body):
            # A dozen positions are half a minute, and the driver has at most 120 m to the pickup.
            if what == "telemetry":
                where.append(body["position"]["location"])
            if len(where) == 12:
                self.riders.unary(RIDER + "CancelRide", {
                    "rider_id": rides["never-move"]["rider_id"], "ride_id": rides["never-move"]["ride_id"]})

        with concurrent.futures.ThreadPoolExecutor(len(labels)) as threads:
            watches = {label: threads.submit(self.watch, ride, *([stands] if label == "never-move" else []))
                       for label, ride in rides.items()}
            types, events = {}, {}
            for label, watch in watches.items():
                types[label], events[label] = watch.result(2 * PATIENCE)

        def declines(label):
            return sandbox.lines("declines", rides[label]["ride_id"])

        for label in (None, "accept", "decline-3", "acept"):
            self.assertEqual(types[label], TO_THE_END, label)
            self.assertEqual(len(declines(label)), 3 if label == "decline-3" else 0, label)
        self.assertTrue(sandbox.lines(rides["acept"]["ride_id"], "sandbox=acept", "decline-3"))
        driver = events["decline-3"][-1]["ride"]["driver"]["driver_id"]
        self.assertFalse([line for line in declines("decline-3") if f" {driver} " in line])

        self.assertEqual(types["cancel-before-arrival"],
                         ["REQUESTED", "ASSIGNED", "ASSIGNMENT_SEEN", "REDISPATCHED", *TO_THE_END[1:]])
        first, second = (event["ride"]["driver"]["driver_id"] for event in events["cancel-before-arrival"]
                         if event["type"] == "RIDE_EVENT_TYPE_ASSIGNED")
        self.assertNotEqual(first, second)
        self.assertEqual(types["cancel-at-pickup"], [*TO_THE_END[:4], "CANCELED"])
        self.assertEqual(events["cancel-at-pickup"][-1]["ride"]["cancellation"]["actor"], "CANCEL_ACTOR_DRIVER")
        self.assertEqual(types["wait-at-pickup"], [*TO_THE_END[:4], "WAITING", *TO_THE_END[4:]])
        self.assertEqual(events["wait-at-pickup"][4]["ride"]["wait"]["reason"], "WAIT_REASON_RIDER_NOT_THERE")
        self.assertEqual(types["never-move"], [*TO_THE_END[:3], "CANCELED"])
        self.assertEqual(events["never-move"][-1]["ride"]["cancellation"]["actor"], "CANCEL_ACTOR_RIDER")
        # The first may be from before the assignment, when the car was on its way.
        self.assertEqual(len({tuple(sorted(place.items())) for place in where[2:]}), 1, where)
        self.assertEqual(types["no-driver"], ["REQUESTED", "UNFULFILLED"])
        self.assertGreater(len(declines("no-driver")), 3)

        status, seconds = sandbox.stop()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 10)
        for number in range(1, DRIVERS + 1):
            state = self.drivers.unary(DRIVER + "GetDriverState", {"driver_id": f"sandbox-{number}"})["state"]
            self.assertEqual(state["availability"], "AVAILABILITY_OFFLINE")

    def test_a_driver_goes_on_with_the_ride_after_a_restart(self):
        sandbox = self.sandbox()
        ride = self.request("wait-at-pickup")

        def restart(what, body):
            if what == "event" and body["type"] == "RIDE_EVENT_TYPE_WAITING":
                self.assertEqual(sandbox.stop()[0], 0)
                self.sandbox()

        types, events = self.watch(ride, restart)
        self.assertEqual(types, [*TO_THE_END[:4], "WAITING", *TO_THE_END[4:]])
        self.assertEqual(len({event["ride"]["driver"]["driver_id"] for event in events[1:]}), 1)

    def refused(self, *words):
        done = subprocess.run([self.hail_sim, "--sandbox", *words], capture_output=True, text=True, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr

    def test_all_problems_of_the_options_are_listed(self):
        problems = self.refused("--drivers", "501", "--around", "here", "--radius", "0", "--every", "0",
                                "--rider-script", "x", "--ignore", "0.5", "--speed", "2", "--tls-ca", "/no/such")
        for option in ("--rider ", "--driver ", "--rider-internal", "--drivers", "--around", "--radius", "--every",
                       "--rider-script must", "--rider-script has", "--ignore", "anchor", "/no/such"):
            self.assertIn(option, problems)
        # In compose the sandbox has an operator's certificate.
        self.assertNotIn("--tls-ca has no meaning", problems)

    def test_a_place_without_hail_and_a_wrong_port_are_refused(self):
        services = ("--rider", self.services.rider, "--driver", self.services.driver)
        self.assertIn("OUTSIDE_SERVICE_AREA", self.refused(
            *services, "--rider-internal", self.services.rider_internal, "--around", "48.8566,2.3522"))
        self.assertIn("internal address", self.refused(
            *services, "--rider-internal", self.services.rider, "--around", self.place()))


class DriversApp(WithServices):
    """The author of a driver's app: scripted riders near the driver."""

    # A rider who cancels 5 s after the request leaves time for the offer.
    speed = 2

    def setUp(self):
        self.driver_id = f"grace-{uuid.uuid4().hex[:12]}"
        self.products = [product["product_id"] for product in self.riders.unary(
            RIDER + "ListProducts", {"position": AROUND})["products"]]
        self.drivers.unary(DRIVER + "RegisterDriver", {"driver": {
            "driver_id": self.driver_id, "display_name": "Grace", "region_id": "san_francisco",
            "product_ids": self.products,
            "vehicle": {"make": "Ford", "model": "Transit", "color": "white", "plate": self.driver_id, "seats": 8}}})
        self.commands = 0
        self.stream = self.drivers.bidi(DRIVER + "StreamDriver")
        self.addCleanup(self.stream.cancel)
        # The next test has another driver.
        self.addCleanup(self.drivers.unary, DRIVER + "SetAvailability", {
            "driver_id": self.driver_id, "availability": "AVAILABILITY_OFFLINE"})
        self.came = queue.Queue()
        self.stream.send({"open": {"driver_id": self.driver_id}})
        self.command(set_availability={"availability": "AVAILABILITY_ONLINE"})
        threading.Thread(target=self.read, daemon=True).start()
        self.done = threading.Event()
        self.addCleanup(self.done.set)
        threading.Thread(target=self.report, daemon=True).start()

    def report(self):
        while not self.done.is_set():
            self.stream.send({"location": {"positions": [{"location": AROUND, "age": "0s"}]}})
            self.done.wait(1)

    def command(self, **command):
        self.commands += 1
        self.stream.send({"command_id": str(self.commands), **command})

    def read(self):
        try:
            for message in self.stream:
                if any(kind in message for kind in ("offer", "offer_update", "event")):
                    self.came.put(message)
        except CallError:
            pass

    def next(self, kind, what=lambda body: True):
        while True:
            message = self.came.get(timeout=PATIENCE)
            if kind in message and what(message[kind]):
                return message[kind]

    def offer(self):
        offer = self.next("offer")
        self.stream.send({"offer_received": {"offer_id": offer["offer_id"]}})
        return offer

    def accept(self, offer):
        self.command(respond_to_offer={"offer_id": offer["offer_id"], "response": "OFFER_RESPONSE_ACCEPT"})
        return self.event("ASSIGNED")["ride"]

    def event(self, name):
        return self.next("event", lambda event: event["type"] == "RIDE_EVENT_TYPE_" + name)

    def step(self, ride, step, event):
        self.command(advance_trip={
            "ride_id": ride["ride_id"], "epoch": ride["epoch"], "leg": ride.get("leg", 0), step: {}})
        return self.event(event)["ride"]

    def arrive(self, ride):
        return self.step(self.step(ride, "seen", "ASSIGNMENT_SEEN"), "arrive", "ARRIVED_AT_PICKUP")

    def drive(self, ride):
        return self.step(self.step(self.arrive(ride), "start", "STARTED"), "complete", "COMPLETED")

    def sandbox(self, *words):
        return Sandbox(self, "--rider", self.services.rider, "--around", self.place(), "--radius", "300",
                       "--riders", "1", "--every", "0.1", *words)

    def test_the_riders_take_turns_with_the_scripts(self):
        sandbox = self.sandbox()
        played = []
        for _ in range(6):
            offer = self.offer()
            script = offer["rider_display_name"].removeprefix("Sandbox rider: ")
            played.append(script)
            if script == "cancel-while-matching":
                update = self.next("offer_update")
                self.assertEqual((update["offer_id"], update["status"], update["reason"]), (
                    offer["offer_id"], "OFFER_STATUS_REVOKED", "OFFER_REVOKE_REASON_RIDE_CANCELED"))
                continue
            ride = self.accept(offer)
            if script in ("cancel-before-pickup", "cancel-at-pickup"):
                if script == "cancel-at-pickup":
                    self.arrive(ride)
                self.assertEqual(self.event("CANCELED")["ride"]["cancellation"]["actor"], "CANCEL_ACTOR_RIDER")
                continue
            if script == "note":
                self.assertTrue(offer["pickup"]["note"] and offer["pickup"]["address"] and offer["dropoff"]["note"])
            self.assertEqual(self.drive(ride)["state"], "RIDE_STATE_COMPLETED")
        listed = subprocess.run([self.hail_sim, "--scripts-markdown", "riders"], check=True, capture_output=True,
                                text=True, stdin=subprocess.DEVNULL).stdout
        self.assertEqual(played, re.findall(r"^\| `([a-z-]+)`", listed, re.M)[1:])
        # A ride that is under way when the sandbox stops.
        ride = self.accept(self.offer())
        status, seconds = sandbox.stop()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 10)
        self.assertEqual(self.event("CANCELED")["ride_id"], ride["ride_id"])

    def test_one_script_for_all_riders(self):
        self.sandbox("--rider-script", "each-product")
        ordered = []
        for _ in self.products:
            offer = self.offer()
            ordered.append(offer["product_id"])
            self.drive(self.accept(offer))
        self.assertEqual(ordered, self.products)


if __name__ == "__main__":
    WithServices.bin_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
