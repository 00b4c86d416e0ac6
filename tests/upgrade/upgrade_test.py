#!/usr/bin/python3
"""Two releases side by side: an upgrade and its rollback, on one PostgreSQL and one NATS.

First scripted rides, with one replica of each service and release. The release before starts, then the new one beside
it. The old one stops (upgrade), starts again, and the new one stops (rollback). Each time one release takes over the
state that the other left: a ride on its way, a request, a quote. Besides, a ride whose record holds fields of a later
version goes from its request to its end at each release alone, and must keep them. Releases promise that since decision
0029; of an older one the table says what happened.

Then a city of hail-sim on replicas of the release before. Each is replaced by one of the new release and then back
again, in an order that depends on the seed. No call may be refused for good. hail-check judges the clients' ledgers and
the stores.

Both releases are secured with TLS, tokens, a password of PostgreSQL and NATS's permissions, unless the release before knows
no TLS: then all is in the clear. If the new release changes the schema, there is no way back: the release before must refuse
it and say so.

Exit status: 0 if all holds. The table at the end lists the results.
"""
import argparse
import pathlib
import subprocess
import sys
import time
import uuid

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "crash"))
from cluster import City, Cluster, add_city_options, trial  # noqa: E402
from databases import CENTRAL_PARK, PATIENT, TIMES_SQUARE  # noqa: E402
from people import CallError, Client, Driver, Rider, sequences  # noqa: E402
from stored_record import LATER, LATER_RIDE, FIELD, RIDE_OF_EVENT, VALUE, content, kept  # noqa: E402

# The decision by which releases promise to keep fields that a later version stored.
KEEPS_UNKNOWN_FIELDS = "0029"
# WatchDriver and AcknowledgeOffer.
HAS_WATCH_DRIVER = "0035"


class Table:
    """The results, and when they were shown."""

    def __init__(self):
        self.shown = {}
        self.wrong = []

    def put(self, when, what, outcome):
        self.shown.setdefault(when, {})[what] = outcome

    def holds(self, when, what, show):
        """`show` returns nothing, or a word for the table, or fails."""
        try:
            self.put(when, what, show() or "yes")
        except (AssertionError, CallError) as error:
            self.put(when, what, "NO")
            self.wrong.append(f"{when}, {what}: {error}")

    def print(self):
        width = max(len(what) for outcomes in self.shown.values() for what in outcomes)
        for when, outcomes in self.shown.items():
            print(when)
            for what, outcome in outcomes.items():
                print(f"  {what:<{width}}  {outcome}")


def equal(now, expected, what):
    if now != expected:
        raise AssertionError(f"{what}: {now}, expected {expected}")


def refused(reason, call):
    try:
        answer = call()
    except CallError as error:
        equal(error.reason, reason, "refused")
        return
    raise AssertionError(f"{reason} was expected, not {answer}")


class Side:
    """One release: a replica of each service, and a client of each while they run."""

    def __init__(self, name, binaries, replicas, secured):
        self.name = name
        self.replicas = replicas
        self.secured = secured
        self.rider = self.driver = None
        for replica in replicas:
            replica.service.run_from(binaries)

    def start(self):
        for replica in self.replicas:
            replica.service.start()
        # One client acts for all, as an operator's backend.
        credentials = self.secured and self.secured.credentials(token=self.secured.token("server", "upgrade-test"))
        self.rider, self.driver = (Client(replica.service.address, credentials) for replica in self.replicas)


class Left:
    """The state that one release leaves to the other: a ride on its way, a waiting ride, and a quote."""

    def __init__(self, side):
        # New ids, so that no session or ride of an earlier run is in the way.
        name = uuid.uuid4().hex[:8]
        self.driver = Driver(f"driver-{name}")
        self.driver.register(side.driver)
        self.driver.go_online(side.driver)
        self.traveller, self.quoted = Rider(f"traveller-{name}"), Rider(f"quoted-{name}")
        # In a place without cars.
        self.waiting = Rider(f"waiting-{name}", TIMES_SQUARE, CENTRAL_PARK, seats=2, labels={"for": "somebody"})
        self.traveller.request(side.rider, "1")
        self.ride = self.driver.step(side.driver, self.driver.take_a_ride(side.driver), "seen")
        self.waiting_ride = self.waiting.request(side.rider, "1")
        self.quote = self.quoted.quote(side.rider)


class Handover(Cluster):
    def __init__(self, options, directory, table):
        super().__init__(options.old, directory, ["rider", "rider", "driver", "driver"], 1, PATIENT, options.clear)
        self.options = options
        self.table = table
        self.old = Side(options.old_name, options.old, self.replicas[0::2], self.secured)
        self.new = Side("new", options.bin, self.replicas[1::2], self.secured)

    def start(self):
        self.nats.start()

    def say(self, what):
        print(f"{time.time() - self.begin:>7.1f} s  {what}", flush=True)

    def stop_all(self, replicas):
        for replica in replicas:
            self.stop(replica)

    def carry_out(self):
        old, new = self.old, self.new
        self.say(f"{old.name} alone")
        old.start()
        self.keeps_what_a_later_version_stored(old, self.options.old_keeps)
        left = Left(old)
        self.say("both")
        schemas = self.schemas()
        new.start()
        self.options.no_way_back = [kind for kind, version in self.schemas().items() if version != schemas[kind]]
        left_by_new = Left(new)
        self.goes_on("side by side", left, old, new, [new.driver, old.driver])
        self.goes_on("side by side", left_by_new, new, old, [old.driver, new.driver])
        left = Left(old)
        self.say("new alone: the upgrade is over")
        self.stop_all(old.replicas)
        self.goes_on("upgraded", left, old, new, [new.driver])
        self.keeps_what_a_later_version_stored(new, True)
        left = Left(new)
        if self.options.no_way_back:
            self.table.holds(f"rolled back: new → {old.name}", "the new schema is refused, and the log says so", self.is_refused)
            self.goes_on("afterwards", left, new, new, [new.driver])
            return
        self.say(f"{old.name} beside it, and then alone: rolled back")
        old.start()
        self.stop_all(new.replicas)
        self.goes_on("rolled back", left, new, old, [old.driver])

    def schemas(self):
        return {kind: self.postgres.rows(f"SELECT version FROM hail_{kind}.schema_version") for kind in ("rider", "driver")}

    def is_refused(self):
        """A release that does not know the schema ends at its start (docs/operations.md)."""
        self.say(f"{self.old.name} does not start: the schema is newer")
        for replica in self.old.replicas:
            if replica.kind not in self.options.no_way_back:
                continue
            replica.service.launch()
            equal(replica.service.process.wait(60), 1, f"{replica.name}'s exit status")
            said = pathlib.Path(replica.service.log.name).read_text(errors="replace")
            equal("store_not_opened" in said, True, f"{replica.name} says why")

    def goes_on(self, when, left, before, side, drivers):
        """The state that `before` left goes on at `side`; the driver takes the steps at `drivers`, in turns."""
        def holds(what, show):
            self.table.holds(f"{when}: {before.name} → {side.name}", what, show)

        def ride_ends():
            ride = left.driver.drive(drivers, left.ride)
            equal(left.traveller.ride(side.rider, ride["ride_id"])["state"], "RIDE_STATE_COMPLETED", "the ride")
            equal([trip["ride_id"] for trip in left.driver.trips(side.driver)], [ride["ride_id"]], "the driver's trips")

        def events_come():
            ride_id = left.ride["ride_id"]
            seen = int(left.ride["sequence"])
            for after in (0, seen):
                events = left.traveller.events(side.rider, ride_id, after)
                equal(sequences(events), list(range(after + 1, seen + 4)), "the rider's events")
            events = left.driver.events(side.driver, {"ride_id": ride_id, "sequence": str(seen)})
            equal(sequences(events), list(range(seen + 1, seen + 4)), "the driver's events")

        def request_is_recognised():
            again = left.waiting.request(side.rider, "1")
            equal(again["ride_id"], left.waiting_ride["ride_id"], "the ride of the request")
            refused("REQUEST_ID_REUSED", lambda: left.waiting.request(side.rider, "1", seats=1))
            canceled = left.waiting.cancel(side.rider, again, reason="CANCEL_REASON_CHANGED_PLANS")
            equal(canceled["state"], "RIDE_STATE_CANCELED", "the ride")

        def quote_holds():
            ride = left.quoted.request(side.rider, "1", quote_token=left.quote["quote_token"])
            equal((ride["quote_id"], ride["fare"]["quoted"]), (left.quote["quote_id"], left.quote["fare"]), "the quote")
            left.quoted.cancel(side.rider, ride)
            refused("QUOTE_USED", lambda: left.quoted.request(
                side.rider, "2", quote_token=left.quote["quote_token"]))

        holds("a ride on its way goes on to its end", ride_ends)
        holds("its events come whole and in order, to rider and driver", events_come)
        holds("a repeated request finds its ride; another one is refused", request_is_recognised)
        holds("a quote token is honoured, once", quote_holds)
        left.driver.want_rides(side.driver, False)

    def keeps_what_a_later_version_stored(self, side, promised):
        """One release takes a ride, whose record has fields of a later version, through all its states."""
        name = uuid.uuid4().hex[:8]
        rider, driver = Rider(f"later-{name}"), Driver(f"later-driver-{name}")
        ride = rider.request(side.rider, "1")
        where = f"WHERE ride_id = '{ride['ride_id']}'"
        self.postgres.psql("-c", f"UPDATE hail_rider.rides SET ride = ride || '\\x{LATER_RIDE.hex()}'::bytea,"
                                 f" internals = internals || '\\x{LATER.hex()}'::bytea {where}")
        lost = {}

        def look(state):
            (record, internals), = self.postgres.rows(
                f"SELECT encode(ride, 'hex'), encode(internals, 'hex') FROM hail_rider.rides {where}")
            found = {**kept(bytes.fromhex(record)), "internals": content(bytes.fromhex(internals), FIELD) == VALUE}
            for event, in self.postgres.rows(
                    f"SELECT encode(event, 'hex') FROM hail_rider.events {where} AND sequence > 1"):
                of_event = kept(content(bytes.fromhex(event), RIDE_OF_EVENT))
                found["event"] = found.get("event", True) and all(of_event.values())
            for field, there in found.items():
                if not there:
                    lost.setdefault(field, state.removeprefix("RIDE_STATE_"))

        def goes_through():
            look(ride["state"])
            equal(lost, {}, "not stored")
            driver.register(side.driver)
            driver.go_online(side.driver)
            now = driver.step(side.driver, driver.take_a_ride(side.driver), "seen")
            for state in ("ENROUTE_TO_PICKUP", "ARRIVED_AT_PICKUP", "ENROUTE_TO_DROPOFF", "COMPLETED"):
                now = driver.drive([side.driver], now, f"RIDE_STATE_{state}")
                look(now["state"])
            driver.want_rides(side.driver, False)
            if promised:
                equal(lost, {}, "lost, and after which step")
            return "lost (not promised yet)" if lost else "yes"

        self.table.holds(f"{side.name} alone", "a ride's record keeps fields of a later version", goes_through)

    def come_to_rest(self):
        self.stop_all((self.new if self.options.no_way_back else self.old).replicas)
        live = self.postgres.rows("SELECT ride_id, state FROM hail_rider.rides WHERE state < 7")
        gaps = self.postgres.rows(
            "SELECT ride_id FROM hail_rider.rides AS r WHERE sequence <> (SELECT COUNT(*) FROM hail_rider.events AS e"
            " WHERE e.ride_id = r.ride_id) OR sequence <> (SELECT MAX(sequence) FROM hail_rider.events AS e"
            " WHERE e.ride_id = r.ride_id)")
        self.say("all rides are over" if not live else f"{len(live)} rides are not over")
        wrong = list(self.table.wrong)
        if live or gaps:
            wrong.append(f"not over: {live}; events missing: {gaps}")
        return wrong


class CityUpgrade(City):
    def __init__(self, options, directory, table):
        super().__init__(options, directory, options.old)
        self.table = table
        if not promises(options.ref, HAS_WATCH_DRIVER):
            self.sim_command += ["--driver-watch", "0"]

    def carry_out(self):
        self.print_heading()
        old, new = (self.options.old_name, self.options.old), ("new", self.options.bin)
        # While rides are requested. A slow machine gets no pauses.
        pause = 0.8 * self.options.length / (2 * len(self.replicas))
        due = time.time()
        ways = ((old, new),) if self.options.no_way_back else ((old, new), (new, old))
        for (before, _), (after, binaries) in ways:
            order = list(self.replicas)
            self.random.shuffle(order)
            for replica in order:
                time.sleep(max(0, due + self.random.uniform(0, pause) - time.time()))
                due += pause
                self.check_running()
                self.say(f"{replica.name}: {before} → {after}")
                self.stop(replica)
                replica.service.run_from(binaries)
                replica.service.start()
            self.say(f"all are {after}")

    def come_to_rest(self):
        wrong = super().come_to_rest(refusals=False)
        self.table.put(f"{len(self.replicas)} replacements, to the new release, under a city" if self.options.no_way_back else
                       f"{2 * len(self.replicas)} replacements, to the new release and back, under a city",
                       f"{self.report['requested']} rides: none lost, no event missed, no call refused for good",
                       "NO" if wrong else "yes")
        return wrong


def promises(ref, decision):
    """Whether a release includes a decision."""
    names = subprocess.run(["git", "-C", str(TESTS), "ls-tree", "--full-tree", "--name-only", ref, "docs/decisions/"],
                           check=True, capture_output=True, text=True).stdout.split()
    return any(pathlib.Path(name).name.startswith(decision) for name in names)


def knows_tls(binaries):
    """Whether the services there can be secured."""
    shown = subprocess.run([binaries / "rider-service", "--help"], check=True, capture_output=True, text=True).stdout
    return "tls.certificate" in shown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_city_options(parser, 3, speed=20, length=180, drivers=200, rides=800)
    parser.add_argument("--old", type=pathlib.Path, required=True, help="directory with the services of the release before")
    parser.add_argument("--from", dest="ref", required=True, help="the git ref that it was built from")
    parser.add_argument("--clear", action="store_true", help="without TLS, tokens and a password, as for a release that knows no TLS")
    parser.add_argument("--only", choices=["rides", "city"], help="one part of it")
    options = parser.parse_args()
    options.old_name = options.ref[:12]
    # The services whose schema the new release changes: the first part finds out.
    options.no_way_back = []
    options.clear = options.clear or not knows_tls(options.old)
    options.old_keeps = promises(options.ref, KEEPS_UNKNOWN_FIELDS)

    status, table, begin = 0, Table(), time.time()
    for part, make in (("rides", Handover), ("city", CityUpgrade)):
        if options.only in (None, part):
            print(f"--- {part}", flush=True)
            status |= trial.run(f"upgrade-{part}", options.keep and options.keep / part,
                                lambda directory, make=make: make(options, directory, table))
    print(f"\n{options.ref} is the release before, new is what is here{', all in the clear' if options.clear else ''}.")
    table.print()
    print(f"upgrade test: {'all holds' if status == 0 else 'failed'}, {time.time() - begin:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
