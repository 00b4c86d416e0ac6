#!/usr/bin/python3
"""Makes the files that databases_test.py opens: databases that a release left behind in the middle of its work, and what
it said of them.

    tests/upgrade/databases.py "$(tests/upgrade/build-release 8f60d66)" tests/upgrade/stores/8f60d66
"""
import argparse
import contextlib
import gzip
import json
import pathlib
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from people import FERRY_BUILDING, Client, Driver, Rider, eventually  # noqa: E402
from hail_services import Services  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from postgres import Postgres  # noqa: E402

TIMES_SQUARE = {"position": {"latitude_deg": 40.7580, "longitude_deg": -73.9855}, "address": "Times Square"}
CENTRAL_PARK = {"position": {"latitude_deg": 40.7812, "longitude_deg": -73.9665}, "address": "Central Park"}
SQLITE_FILES = ("rider", "driver")


# Long times, so that on a slow machine no offer, assignment, ride or quote expires. Some of these times are stored.
PATIENT = {
    "rider": {"ride.offer_time": "60s", "ride.seen_within": "10m", "ride.match_deadline": "1h", "quote.valid_for": "1h"},
    "driver": {"offer.receive_time": "30s"}}


@contextlib.contextmanager
def running(binaries, directory, settings, rider=None):
    """Both services on the stores in `directory`, and a client of each. `rider`: further settings of that one."""
    services = Services(binaries, directory, rider={**settings, **PATIENT["rider"], **(rider or {})},
                        driver={**settings, **PATIENT["driver"]})
    services.start()
    clients = Client(services.rider), Client(services.driver)
    try:
        yield clients
    finally:
        for client in clients:
            client.close()
        status = services.stop()
    if status != (0, 0):
        raise AssertionError(f"the services did not drain: {status}")


class Story:
    """The actions of some riders and drivers. They leave a ride in each state."""

    def __init__(self):
        self.riders = {rider.id: rider for rider in (
            Rider("ada", {**FERRY_BUILDING, "address": "Ferry Building, “Gate C”"}, seats=2,
                  labels={"for": "Großmutter"}),
            *(Rider(name) for name in ("blaise", "carla", "dorothy", "emmy", "felix", "georg")),
            Rider("hermann", TIMES_SQUARE, CENTRAL_PARK))}
        self.drivers = {name: Driver(name) for name in ("grace", "edsger", "fei", "gus", "hedy", "ike")}
        self.requests = []
        self.quote = None

    def request(self, at_rider, rider_id, request_id, **more):
        body = self.riders[rider_id].body(request_id, **more)
        self.requests.append(body)
        return self.riders[rider_id].request(at_rider, request_id, **more)

    def nobody_is_found(self, at_rider):
        ride = self.request(at_rider, "hermann", "hermann-1")
        eventually(lambda: self.riders["hermann"].ride(at_rider, ride["ride_id"])["state"] ==
                   "RIDE_STATE_NO_DRIVERS_AVAILABLE", "the end of a ride without a driver")

    def happens(self, at_rider, at_driver):
        grace, edsger, fei, gus, hedy, ike = self.drivers.values()
        for driver in self.drivers.values():
            driver.register(at_driver)

        grace.go_online(at_driver)
        quote = self.riders["ada"].quote(at_rider)
        self.request(at_rider, "ada", "ada-1", quote_token=quote["quote_token"])
        grace.drive([at_driver], grace.take_a_ride(at_driver))

        # The driver cancels at the pickup.
        self.request(at_rider, "blaise", "blaise-1")
        ride = grace.drive([at_driver], grace.take_a_ride(at_driver), "RIDE_STATE_ARRIVED_AT_PICKUP")
        grace.step(at_driver, ride, "cancel", reason="CANCEL_REASON_RIDER_NOT_FOUND", note="Nobody was there.")

        # The driver gives the ride up on the way to the pickup: a second driver waits there.
        self.request(at_rider, "carla", "carla-1")
        ride = grace.step(at_driver, grace.take_a_ride(at_driver), "seen")
        grace.step(at_driver, ride, "cancel", reason="CANCEL_REASON_VEHICLE_PROBLEM", note="A flat tyre.")
        grace.want_rides(at_driver, False)
        edsger.go_online(at_driver)
        edsger.drive([at_driver], edsger.take_a_ride(at_driver), "RIDE_STATE_ARRIVED_AT_PICKUP")

        fei.go_online(at_driver)
        self.request(at_rider, "dorothy", "dorothy-1")
        fei.drive([at_driver], fei.take_a_ride(at_driver), "RIDE_STATE_ENROUTE_TO_DROPOFF")

        gus.go_online(at_driver)
        self.request(at_rider, "emmy", "emmy-1")
        gus.step(at_driver, gus.take_a_ride(at_driver), "seen")

        # The rider cancels while no driver is free.
        ride = self.request(at_rider, "ada", "ada-2")
        self.riders["ada"].cancel(at_rider, ride, reason="CANCEL_REASON_OTHER", note="It rains.")
        self.quote = self.riders["ada"].quote(at_rider)

        # Assigned, but the driver has not seen it.
        hedy.go_online(at_driver)
        self.request(at_rider, "felix", "felix-1")
        hedy.take_a_ride(at_driver)

        # In matching; the only free driver has given it up.
        ike.go_online(at_driver)
        self.request(at_rider, "georg", "georg-1")
        ike.step(at_driver, ike.take_a_ride(at_driver), "cancel")

    def report(self, at_rider, at_driver):
        """What the services report about all rides and drivers."""
        rides = {name: rider.rides(at_rider) for name, rider in self.riders.items()}
        return {"rides": rides,
                "events": {ride["ride_id"]: self.riders[name].events(at_rider, ride["ride_id"])
                           for name, of_rider in rides.items() for ride in of_rider},
                "profiles": {name: driver.profile(at_driver) for name, driver in self.drivers.items()},
                "trips": {name: driver.trips(at_driver) for name, driver in self.drivers.items()}}


def write(path, data):
    # Equal data give an equal file.
    path.write_bytes(gzip.compress(data, mtime=0))


@contextlib.contextmanager
def postgres_server():
    with tempfile.TemporaryDirectory(prefix="hail-postgres-") as directory:
        server = Postgres(pathlib.Path(directory))
        try:
            yield server
        finally:
            server.stop()


def have_it_happen(binaries, directory, settings):
    """Lets the story happen; returns the services' report, which databases_test.py reads."""
    story = Story()
    with running(binaries, directory, settings, {"ride.match_deadline": "1s"}) as (at_rider, _):
        story.nobody_is_found(at_rider)
    with running(binaries, directory, settings) as clients:
        story.happens(*clients)
        report = story.report(*clients)
    report |= {"domain_time": round(time.time()) + 1, "requests": story.requests, "quote": story.quote}
    return json.dumps(report, indent=1, ensure_ascii=False).encode()


def make_sqlite(binaries, directory, out):
    write(out / "sqlite.json.gz", have_it_happen(binaries, directory, {}))
    for name in SQLITE_FILES:
        file = directory / name / f"{name}.db"
        if pathlib.Path(f"{file}-wal").exists():
            raise AssertionError(f"{file} is not all there is")
        write(out / f"{name}.db.gz", file.read_bytes())


def make_postgres(binaries, directory, out):
    with postgres_server() as server:
        write(out / "postgres.json.gz", have_it_happen(binaries, directory, {"store.url": server.url}))
        write(out / "postgres.sql.gz", server.dump())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path, help="directory with the release's rider-service and driver-service")
    parser.add_argument("out", type=pathlib.Path, help="directory for the files; its name says the release")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for make in (make_sqlite, make_postgres):
        with tempfile.TemporaryDirectory(prefix="hail-databases-") as directory:
            make(options.bin, pathlib.Path(directory), options.out)


if __name__ == "__main__":
    main()
