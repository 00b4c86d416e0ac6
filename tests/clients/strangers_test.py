#!/usr/bin/python3
"""How near strangers get to a car: without a token, and as riders (docs/security.md, "What a stranger may learn").

    strangers_test.py BIN_DIR [--table]

Attacks services that check tokens and have their usual limits. The attackers have as many networks and riders as the
limits make them need. They make estimates in all known ways, which must stay more than 100 m away from the car; on
answers with the car's own place and time the same estimators find it. --table prints docs/security.md's table.
"""

import argparse
import collections
import contextlib
import itertools
import math
import pathlib
import queue
import random
import statistics
import sys
import tempfile
import threading
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import a_ride  # noqa: E402
import hail_services  # noqa: E402
import secured  # noqa: E402
from grpc_reflection import CallError, Client  # noqa: E402

RIDER = "hail.rider.v1.RiderService/"
DRIVER = "hail.driver.v1.DriverService/"
NEAREST_M = 100
# An estimate further away than this comes from a bad estimator, and proves nothing.
FURTHEST_M = 450
METRES_PER_DEGREE = 111_195
HOME = (37.7599, -122.4350)
# Calls that one subject or network makes: below the limits of a minute.
CALLS_OF_ONE = {"ListNearbyCars": 28, "QuoteRide": 58, "RequestRide": 9}
# `search.radius_start`: who is further from a pickup is asked 2 s later.
FIRST_RADIUS_M = 1500


def moved(point, bearing, metres):
    north, east = metres * math.cos(math.radians(bearing)), metres * math.sin(math.radians(bearing))
    return (point[0] + north / METRES_PER_DEGREE,
            point[1] + east / METRES_PER_DEGREE / math.cos(math.radians(point[0])))


def flat(origin, point):
    """East and north of `origin`, in metres."""
    return ((point[1] - origin[1]) * METRES_PER_DEGREE * math.cos(math.radians(origin[0])),
            (point[0] - origin[0]) * METRES_PER_DEGREE)


def metres(one, other):
    return math.hypot(*flat(one, other))


def position(point):
    return {"latitude_deg": point[0], "longitude_deg": point[1]}


def trilaterated(circles, start, scaled):
    """Where circles (centre, radius) meet, by least squares. `scaled`: the radii are times, of an unknown speed."""
    known = [(*flat(start, centre), radius) for centre, radius in circles]
    x = y = 0.0
    scale = statistics.mean(math.hypot(a, b) for a, b, _ in known) / statistics.mean(r for *_, r in known) if scaled else 1.0
    for _ in range(40):
        rows = []
        for a, b, radius in known:
            away = max(1e-6, math.hypot(x - a, y - b))
            rows.append(([(x - a) / away, (y - b) / away] + ([-radius] if scaled else []), scale * radius - away))
        step = solved(rows)
        x, y = x + step[0], y + step[1]
        if scaled:
            scale += step[2]
    return moved(moved(start, 0, y), 90, x)


def solved(rows):
    """Least squares of a few unknowns: the normal equations by elimination."""
    size = len(rows[0][0])
    matrix = [[sum(row[i] * row[j] for row, _ in rows) for j in range(size)] + [sum(row[i] * value for row, value in rows)]
              for i in range(size)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(matrix[k][i]))
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        for k in range(size):
            if k != i:
                factor = matrix[k][i] / matrix[i][i]
                matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i])]
    return [matrix[i][size] / matrix[i][i] for i in range(size)]


def mean(places):
    return tuple(statistics.mean(place[axis] for place in places) for axis in (0, 1))


def edge(low, high, beyond, steps):
    """Between `low`, where `beyond` is false, and `high`, where it is true."""
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return (low + high) / 2


class Follower:
    """Follows a car's shown place by its cells of 75 m. A car moves to the next cell at most between two calls, so a jump
    of its displacement excludes some of those that it can have; an earlier version jumped where blocks of 16 cells met.
    The test of seen_cars.h has the same estimator, and shows that it found cars of that version."""

    ROWS = 1482
    SHIFTS = [(a, b) for a in range(-2, 3) for b in range(-2, 3) if max(abs(a), abs(b)) == 2]

    def __init__(self):
        self._columns = math.floor(360 * self.ROWS * math.cos(math.radians(math.floor(HOME[0]) + 0.5))) / 360
        self._left, self._last = self.SHIFTS, None

    def see(self, place):
        shown = (math.floor((place[0] - math.floor(place[0])) * self.ROWS), math.floor((place[1] + 180) * self._columns))
        if self._last not in (None, shown):
            self._left = [shift for shift in self.SHIFTS
                          if any(self._follows(before, shift, shown) for before in self._left)] or self._left
        self._last = shown

    def _follows(self, before, shift, shown):
        start, end = ((at[0] - by[0], at[1] - by[1]) for at, by in ((self._last, before), (shown, shift)))
        if max(abs(end[0] - start[0]), abs(end[1] - start[1])) > 1:
            return False
        return before == shift or (start[0] // 16, start[1] // 16) != (end[0] // 16, end[1] // 16)

    def estimate(self, latitude):
        row, column = (self._last[axis] - statistics.mean(shift[axis] for shift in self._left) for axis in (0, 1))
        return (math.floor(latitude) + (row + 0.5) / self.ROWS, (column + 0.5) / self._columns - 180)


class Car:
    """A driver's app: online, where it was last moved to."""

    def __init__(self, address, issuer, place):
        self.place = place
        self._client = Client(address)
        self._issuer = issuer
        self._name = f"grace-{uuid.uuid4().hex[:8]}"
        self._may_drive = self._bearer("driver", self._name)
        self._answered = queue.Queue()
        self._number = itertools.count(1)
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self):
        self._client.unary(DRIVER + "RegisterDriver", {"driver": {
            "driver_id": self._name, "display_name": "Grace", "region_id": "san_francisco", "product_ids": ["economy"],
            "vehicle": {"make": "Toyota", "model": "Prius", "color": "green", "plate": "7ABC123", "seats": 4}}},
            metadata=self._bearer("server", "desk"))
        self._stream = self._client.bidi(DRIVER + "StreamDriver", metadata=self._may_drive)
        self._stream.send({"open": {"driver_id": self._name}})
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._read, self._stay)]
        for thread in self._threads:
            thread.start()
        self._stream.send({"command_id": "go", "set_availability": {"availability": "AVAILABILITY_ONLINE"}})
        answer = self._answered.get(timeout=20)
        if isinstance(answer, Exception) or answer.get("status", {}).get("code"):
            raise RuntimeError(f"the car does not get online: {answer}")
        self.move(self.place)
        return self

    def __exit__(self, *_):
        self._over.set()
        self._stream.cancel()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _bearer(self, role, who):
        return [("authorization", f"Bearer {self._issuer.token(role, who)}")]

    def move(self, place):
        """Returns when the service has the position."""
        with self._lock:
            self.place = place
            answer = self._client.unary(DRIVER + "UpdateLocation", {"driver_id": self._name, "positions": [
                {"location": position(place), "age": "0s", "position_seq": str(next(self._number))}]},
                metadata=self._may_drive)
            if answer != {"accepted": 1}:
                raise RuntimeError(f"the car cannot be at {place}: {answer}")

    def _stay(self):
        """Positions that are too old hide a car."""
        while not self._over.wait(1):
            self.move(self.place)

    def _read(self):
        try:
            for message in self._stream:
                if "heartbeat" in message:
                    self._stream.send({"heartbeat": {}})
                elif "offer" in message:
                    # Shown to the driver, who does not answer.
                    self._stream.send({"offer_received": {"offer_id": message["offer"]["offer_id"]}})
                elif "command_result" in message:
                    self._answered.put(message["command_result"])
        except CallError as error:
            self._answered.put(error)


class Attacker:
    """Makes calls as somebody new whenever a limit is near. `anonymous`: from networks, as the edge tells them, without a
    token; else as riders."""

    def __init__(self, address, issuer, anonymous):
        self.client = Client(address)
        self._issuer, self._anonymous = issuer, anonymous
        self._made = collections.Counter()
        self._who = {}
        self.calls = 0

    def call(self, name, **request):
        made = self._made[name]
        if made % CALLS_OF_ONE.get(name, 1000) == 0:
            self._who[name] = f"mallory-{uuid.uuid4().hex}"
        self._made[name] += 1
        self.calls += 1
        who = self._who[name]
        if self._anonymous:
            metadata = [("x-forwarded-for", ".".join(str(int(who[i:i + 2], 16)) for i in range(8, 16, 2)))]
        else:
            metadata = self._bearer(who)
        if name in ("QuoteRide", "RequestRide"):
            request["rider_id"] = who
        return self.client.unary(RIDER + name, request, metadata=metadata)

    def _bearer(self, who):
        if who not in self._who:
            self._who[who] = [("authorization", f"Bearer {self._issuer.token('rider', who)}")]
        return self._who[who]

    # What is asked: a place or a time, or None if there is no car.

    def car(self, point, radius=5000):
        cars = self.call("ListNearbyCars", position=position(point), radius_m=radius).get("cars", [])
        return cars[0] if cars else None

    def place(self, point):
        shown = self.car(point)["position"]
        return shown["latitude_deg"], shown["longitude_deg"]

    def pickup_s(self, point):
        """By the map without a token, by a quote as a rider."""
        if self._anonymous:
            car = self.car(point)
            eta = car and car.get("eta")
        else:
            quotes = self.call("QuoteRide", pickup={"position": position(point)}, product_id="economy",
                               dropoff={"position": position(moved(HOME, 90, 4000))})["quotes"]
            eta = quotes[0].get("pickup_eta")
        return eta and float(eta[:-1])

    def asked(self, point):
        """Whether a ride from there is offered to the car at once: a car with an offer may leave the map."""
        ride = self.call("RequestRide", request_id=uuid.uuid4().hex, product_id="economy",
                         pickup={"position": position(point)}, dropoff={"position": position(moved(point, 90, 4000))})["ride"]
        try:
            give_up = time.monotonic() + 0.15
            while time.monotonic() < give_up:
                if self.car(point) is None:
                    return True
            return False
        finally:
            self.client.unary(RIDER + "CancelRide", {"rider_id": ride["rider_id"], "ride_id": ride["ride_id"]},
                              metadata=self._bearer(ride["rider_id"]))
            give_up = time.monotonic() + 5
            while self.car(point) is None and time.monotonic() < give_up:
                pass


class Unblurred:
    """An Attacker's view of a car that is shown as it is: to four decimals, with the time from its place."""

    def __init__(self, place):
        self._place = place

    def car(self, point, radius=5000):
        return {"position": position([round(axis, 4) for axis in self._place])} if metres(point, self._place) <= radius else None

    def pickup_s(self, point):
        return metres(point, self._place) / 5.25

    def asked(self, point):
        return metres(point, self._place) <= FIRST_RADIUS_M


def estimates_of_standing(view, about, calls, edges):
    """(how, estimate) each. `calls`: of each kind that averages. `edges`: of each kind that walks to an edge."""
    places, by_time = [], []
    for _ in range(calls):
        point = moved(about, random.uniform(0, 360), random.uniform(50, 1500))
        car, took = view.car(point), view.pickup_s(point)
        if car:
            places.append((car["position"]["latitude_deg"], car["position"]["longitude_deg"]))
        if took:
            by_time.append((point, took))
    yield "mean of the places shown", mean(places)
    yield "trilateration by the time", trilaterated(by_time, about, scaled=True)

    circles = []
    for _ in range(edges):
        point = moved(about, random.uniform(0, 360), 1000)
        circles.append((point, edge(1, 5000, lambda radius, point=point: view.car(point, radius) is not None, 13)))
    yield "walking along the radius", trilaterated(circles, about, scaled=False)

    circles = []
    for _ in range(edges):
        bearing = random.uniform(0, 360)
        first = view.pickup_s(moved(about, bearing, 1200))
        at = edge(1200, 1500, lambda away, bearing=bearing, first=first:
                  (view.pickup_s(moved(about, bearing, away)) or 0) > first, 9)
        circles.append((moved(about, bearing, at), first))
    yield "walking along the steps of the time", trilaterated(circles, about, scaled=True)


def estimate_by_offers(view, about, directions):
    circles = []
    for number in range(directions):
        bearing = 360 * number / directions
        at = edge(FIRST_RADIUS_M - 400, FIRST_RADIUS_M + 400,
                  lambda away, bearing=bearing: not view.asked(moved(about, bearing, away)), 6)
        circles.append((moved(about, bearing, at), FIRST_RADIUS_M))
    return trilaterated(circles, about, scaled=False)


class Strangers(unittest.TestCase):
    table = False

    @classmethod
    def setUpClass(cls):
        random.seed(14)
        cls.folder = tempfile.TemporaryDirectory(prefix="hail-test-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.issuer = secured.Secured(pathlib.Path(cls.folder.name))
        cls.rows = []
        cls.addClassCleanup(cls.print_table)

    @classmethod
    def print_table(cls):
        if cls.table:
            print("| who | calls | estimate | error, m | of a car shown as it is |\n|---|---|---|---|---|")
            for row in cls.rows:
                print(f"| {' | '.join(row)} |")

    @contextlib.contextmanager
    def city(self, **more):
        """Services with one car at HOME, which is on the map: rider-service's address, and the car."""
        settings = {"log.level": "error", **self.issuer.auth_settings(), **more}
        with hail_services.running(self.bin_dir, rider=settings, driver=settings) as services, \
                Car(services.driver, self.issuer, HOME) as car:
            # driver-service first has to learn from rider-service whether the driver has a ride.
            visitor, give_up = Client(services.rider), time.monotonic() + 20
            while not visitor.unary(RIDER + "ListNearbyCars", {"position": position(HOME)}).get("cars"):
                self.assertLess(time.monotonic(), give_up, "the car did not get on the map")
                time.sleep(0.02)
            visitor.close()
            yield services.rider, car

    def judge(self, who, calls, how, errors, control):
        """`errors`: of the estimates, in metres. `control`: of the same estimator on answers that are not blurred."""
        near, middle = min(errors), statistics.median(errors)
        self.rows.append((who, f"{calls:,}" if calls else "the same", how, f"{near:.0f}" if len(errors) == 1 else f"{near:.0f}, median {middle:.0f}",
                          control if isinstance(control, str) else f"{control:.1f}"))
        with self.subTest(who=who, how=how):
            self.assertGreater(near, NEAREST_M)
            self.assertLess(middle, FURTHEST_M, "the estimator itself is bad")
            if not isinstance(control, str):
                self.assertLess(control, 20, "the estimator does not find a car that is shown as it is")

    def test_a_car_that_stands(self):
        with self.city() as (address, _):
            control = dict(estimates_of_standing(Unblurred(HOME), moved(HOME, 10, 50), 300, 20))
            for who, anonymous in (("nobody", True), ("riders", False)):
                attacker = Attacker(address, self.issuer, anonymous)
                before = 0
                for how, estimate in estimates_of_standing(attacker, attacker.place(HOME), 400, 12):
                    self.judge(who, attacker.calls - before, how, [metres(estimate, HOME)], metres(control[how], HOME))
                    before = attacker.calls

    def test_rides_that_are_canceled_before_a_driver_takes_them(self):
        with self.city() as (address, _):
            attacker = Attacker(address, self.issuer, anonymous=False)
            estimate = estimate_by_offers(attacker, attacker.place(HOME), 4)
            control = estimate_by_offers(Unblurred(HOME), moved(HOME, 10, 50), 4)
            self.judge("riders", attacker.calls, "walking to where a ride makes the car leave the map, canceled each time",
                       [metres(estimate, HOME)], metres(control, HOME))

    def test_a_car_that_drives(self):
        with self.city(time_scale=10, time_anchor=f"{time.time():.3f}:{time.time():.3f}") as (address, car):
            attacker = Attacker(address, self.issuer, anonymous=True)
            follower, errors, places, driven = Follower(), [], [], []
            for _ in range(160):
                # 25 m at 20 steps a second of wall time, the limit of a driver: 50 m/s of domain time.
                began = time.monotonic()
                car.move(moved(car.place, 20 + 90 * (len(driven) // 40 % 2), 25))
                places.append(attacker.place(car.place))
                driven.append(car.place)
                follower.see(places[-1])
                errors.append(metres(follower.estimate(car.place[0]), car.place))
                time.sleep(max(0, began + 0.05 - time.monotonic()))
            note = "within 10 ¹"
            self.judge("nobody", attacker.calls, "following it while it drives, by the jumps of its displacement", errors, note)
            # Over a stretch that the observer takes to be straight, the mean is the place in its middle.
            straight = [metres(mean(places[leg:leg + 40]), mean(driven[leg:leg + 40])) for leg in range(0, 160, 40)]
            self.judge("nobody", attacker.calls, "middle of a straight stretch", straight, "0.5")

    def test_what_nobody_may_ask(self):
        """Without a token only the map and the products are answered; neither they nor anything else tell who drives."""
        with self.city() as (address, _):
            attacker = Attacker(address, self.issuer, anonymous=True)
            for name in ("QuoteRide", "RequestRide", "GetRide", "GetActiveRide", "ListRides", "CancelRide"):
                with self.subTest(name), self.assertRaises(CallError) as refused:
                    attacker.client.unary(RIDER + name, {"rider_id": "ada"})
                self.assertEqual(refused.exception.reason, "TOKEN_MISSING")
            products = attacker.call("ListProducts", position=position(HOME))
            self.assertEqual(products, attacker.call("ListProducts", position=position(moved(HOME, 0, 5000))))
            self.assertEqual(set(attacker.car(HOME)), {"position", "product_ids", "eta"})
            # Who is one network, and not many, gets no more than 30 answers a minute.
            with self.assertRaises(CallError) as refused:
                for _ in range(40):
                    attacker.client.unary(RIDER + "ListNearbyCars", {"position": position(HOME)},
                                          metadata=[("x-forwarded-for", "198.51.100.7")])
            self.assertEqual(refused.exception.reason, "RATE_LIMITED")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--table", action="store_true")
    options, names = parser.parse_known_args()
    Strangers.bin_dir, Strangers.table = options.bin_dir, options.table
    unittest.main(argv=[*sys.argv[:1], *names], verbosity=2)
