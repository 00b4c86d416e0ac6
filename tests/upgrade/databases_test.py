#!/usr/bin/python3
"""Databases of earlier releases open: the services report the same rides, and the live rides end.

    databases_test.py BIN_DIR

stores/RELEASE has what that release left behind, made by databases.py with its binaries.
"""
import gzip
import json
import pathlib
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
from databases import SQLITE_FILES, Story, postgres_server, running  # noqa: E402
from people import RIDER, CallError, ask, sequences  # noqa: E402

RELEASES = sorted((pathlib.Path(__file__).parent / "stores").iterdir())
LIVE = {"RIDE_STATE_MATCHING", "RIDE_STATE_ENROUTE_TO_PICKUP", "RIDE_STATE_ARRIVED_AT_PICKUP",
        "RIDE_STATE_ENROUTE_TO_DROPOFF"}


def not_kept(message):
    """The fields that depend on the process, not on the record."""
    fields = {"driver_last_seen"}
    if message.get("state") == "RIDE_STATE_MATCHING" and "ride_id" in message:
        # A replica that adopts the ride begins a new epoch.
        fields.add("epoch")
    return fields


class Databases(unittest.TestCase):
    def test_sqlite(self):
        for release in RELEASES:
            with self.subTest(release=release.name), tempfile.TemporaryDirectory(prefix="hail-test-") as directory:
                for name in SQLITE_FILES:
                    (pathlib.Path(directory) / name).mkdir()
                    (pathlib.Path(directory) / name / f"{name}.db").write_bytes(
                        gzip.decompress((release / f"{name}.db.gz").read_bytes()))
                self.open_and_go_on(pathlib.Path(directory), release / "sqlite.json.gz", {})

    def test_postgres(self):
        for release in RELEASES:
            with self.subTest(release=release.name), tempfile.TemporaryDirectory(prefix="hail-test-") as directory, \
                    postgres_server() as server:
                dump = pathlib.Path(directory) / "dump.sql"
                dump.write_bytes(gzip.decompress((release / "postgres.sql.gz").read_bytes()))
                server.psql("-f", dump)
                self.open_and_go_on(pathlib.Path(directory), release / "postgres.json.gz", {"store.url": server.url})

    def open_and_go_on(self, directory, recorded, settings):
        recorded = json.loads(gzip.decompress(recorded.read_bytes()))
        # The clock continues from the release's last time.
        clock = {"time_scale": 1, "time_anchor": f"{time.time():.3f}:{recorded['domain_time']}"}
        # The databases have the age that they have.
        with running(self.bin_dir, directory, {**settings, **clock}, {"retention.rides": "0"}) as clients:
            self.all_is_as_it_was(recorded, *clients)
            self.requests_are_recognised(recorded, clients[0])
            self.live_rides_end(recorded, *clients)

    def covers(self, now, before, where):
        """`now` has all that `before` has; it may have more."""
        if isinstance(before, dict):
            for key in before.keys() - not_kept(before):
                self.assertIn(key, now, where)
                self.covers(now[key], before[key], f"{where}.{key}")
        elif isinstance(before, list):
            self.assertEqual(len(now), len(before), where)
            for i, (one, other) in enumerate(zip(now, before)):
                self.covers(one, other, f"{where}[{i}]")
        else:
            self.assertEqual(now, before, where)

    def all_is_as_it_was(self, recorded, at_rider, at_driver):
        now = Story().report(at_rider, at_driver)
        for what in now:
            self.covers(now[what], recorded[what], what)
        for ride_id, events in now["events"].items():
            self.assertEqual(sequences(events), list(range(1, len(events) + 1)), ride_id)

    def requests_are_recognised(self, recorded, at_rider):
        rides = {ride["request_id"]: ride for of_rider in recorded["rides"].values() for ride in of_rider}
        for body in recorded["requests"]:
            again = ask(at_rider, RIDER + "RequestRide", body)["ride"]
            self.assertEqual(again["ride_id"], rides[body["request_id"]]["ride_id"])
            with self.assertRaises(CallError) as raised:
                ask(at_rider, RIDER + "RequestRide", {**body, "seats": body.get("seats", 1) + 1})
            self.assertEqual(raised.exception.reason, "REQUEST_ID_REUSED")

    def live_rides_end(self, recorded, at_rider, at_driver):
        story = Story()
        rides = {ride["ride_id"]: ride for of_rider in recorded["rides"].values() for ride in of_rider
                 if ride["state"] in LIVE}
        self.assertEqual({ride["state"] for ride in rides.values()}, LIVE)
        # First the assignment that its driver has not seen: it waits for a minute in the stores of 8f60d66.
        for ride in sorted(rides.values(), key=lambda ride: "seen_time" in ride):
            if "driver" in ride:
                driver = story.drivers[ride["driver"]["driver_id"]]
                driver.drive([at_driver], ride)
                missed = driver.events(at_driver, {"ride_id": ride["ride_id"], "sequence": ride["sequence"]})
                first = int(ride["sequence"]) + 1
                self.assertEqual(sequences(missed), list(range(first, first + len(missed))))
                self.assertEqual(missed[-1]["type"], "RIDE_EVENT_TYPE_COMPLETED")

        # The quote is still valid. The free driver gave up the ride that waits longer, and is excluded from it.
        quote = recorded["quote"]
        ada, ike, grace = story.riders["ada"], story.drivers["ike"], story.drivers["grace"]
        by_quote = ada.request(at_rider, "ada-3", quote_token=quote["quote_token"])
        self.assertEqual((by_quote["quote_id"], by_quote["fare"]["quoted"]), (quote["quote_id"], quote["fare"]))
        rides[by_quote["ride_id"]] = by_quote
        self.assertEqual(ike.state(at_driver)["availability"], "AVAILABILITY_ONLINE")
        taken = ike.take_a_ride(at_driver)
        self.assertEqual(taken["ride_id"], by_quote["ride_id"])
        ike.drive([at_driver], taken)

        self.assertEqual(grace.state(at_driver)["availability"], "AVAILABILITY_OFFLINE")
        ike.want_rides(at_driver, False)
        grace.go_online(at_driver)
        grace.drive([at_driver], grace.take_a_ride(at_driver))

        now = story.report(at_rider, at_driver)
        for of_rider in now["rides"].values():
            for ride in of_rider:
                self.assertNotIn(ride["state"], LIVE)
                if ride["ride_id"] in rides:
                    self.assertEqual(ride["state"], "RIDE_STATE_COMPLETED")
        for ride_id, before in recorded["events"].items():
            events = now["events"][ride_id]
            self.covers(events[:len(before)], before, ride_id)
            self.assertEqual(sequences(events), list(range(1, len(events) + 1)), ride_id)


if __name__ == "__main__":
    Databases.bin_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
