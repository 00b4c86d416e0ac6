#!/usr/bin/env python3
"""Breaks production code one line at a time, and shows that ordinary seeds of the simulation find each break.

Works on a copy of the sources (tracked and modified files) with a build of its own, in DIR. For each mutant: change the
line, build, run seeds 1, 2, 3 … until one fails, change it back. Prints a table; exit status 1 if a mutant survived.

    tests/simulation/mutants.py DIR [--seeds 2500] [--only NAME] [--jobs N]
    tests/simulation/mutants.py --check       only checks that the line of each mutant stands in its file
"""
import argparse
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# name, file, the code as it is, the code broken. Each must stand exactly once in its file.
#
# Not here, because a second line of code refuses the same: assign a ride that is over; ignore the epoch of a step; give
# up an unseen assignment too soon; accept a stale snapshot (with that second line gone, seed 195 finds it); let an
# older stream replace a newer one (the store refuses its claim, too).
# Also not here, because only time is lost, which the judge cannot see: keep the offers of a link that ended (LinkTest
# has it); skip the search for orphans every 2 s (all waiting rides are read every 10 s besides); go on without a lease
# (rides that other replicas adopt have a higher epoch, and those replicas start them at driver-service; SharedSchedulerTest
# has it); keep the offers of a requester that is gone, or pass no unary call on (phones ask another replica each time);
# send the requester no status of its offer (it waits for the offer's time: 14 tests of AskTest have it).
MUTANTS = [
    ("skip the epoch check", "rider-service/domain/ride.cc",
     "if (assignment.epoch != ride.epoch()) {", "if (false) {"),
    ("answer before commit", "rider-service/domain/rides.cc",
     "  auto decide = [command = std::move(command), rules = rules_, at = now.domain](const Ride& ride) {\n",
     "  auto decide = [command = std::move(command), rules = rules_, at = now.domain, done](const Ride& ride) {\n"
     "    if (auto c = TakeStep(ride, command, rules, at); c.ok()) done(RideForDriver(c->ride));\n"),
    ("publish before commit", "rider-service/domain/rides.cc",
     "  ports_.store->Change(std::move(ride_id), std::move(decide), deadline,",
     "  ports_.store->Change(std::move(ride_id), [this, decide](const Ride& ride) { auto c = decide(ride); "
     "if (c.ok() && c->event) Announce(*c->event); return c; }, deadline,"),
    ("inform the scheduler before commit", "rider-service/domain/rides.cc",
     "  ports_.store->Change(std::move(ride_id), std::move(decide), deadline,",
     "  ports_.store->Change(std::move(ride_id), [this, decide](const Ride& ride) { auto c = decide(ride); "
     "if (c.ok()) ports_.observer->OnCommitted(c->ride, nullptr); return c; }, deadline,"),
    ("release RESERVED on time-out", "driver-service/domain/offer_book.cc",
     "!offer->in_flight) SendConfirm(*offer);",
     "!offer->in_flight) Settle(now, *offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);"),
    ("take an unknown outcome for a refusal", "driver-service/domain/offer_book.cc",
     "      return DetailsOf(status).has_value();\n    default:\n      return false;",
     "      return DetailsOf(status).has_value();\n    default:\n      return DetailsOf(status).has_value();"),
    # With or without a subscription, events before the answer to the read are dropped: the same as reading first.
    ("read before subscribe", "rider-service/domain/ride_feed.cc",
     "  if (finished_ || event.ride_id() != ride_id_ || !Hold(event)) return;",
     "  if (finished_ || reading() || event.ride_id() != ride_id_ || !Hold(event)) return;"),
    ("forget exclusions", "rider-service/domain/dispatch_scheduler.cc",
     "  start.excluded_driver_ids.assign(entry.ride.excluded_driver_ids().begin(), "
     "entry.ride.excluded_driver_ids().end());\n", ""),
    ("offer a ride without its rider's name", "rider-service/api/api_codec.cc",
     "  out->mutable_offer()->set_rider_display_name(ride.rider_display_name());\n", ""),
    ("do not exclude who gave up", "rider-service/domain/ride.cc",
     "  after.EditInternals()->add_excluded_driver_ids(driver_id);\n", ""),
    ("reset the deadline on re-dispatch", "rider-service/domain/ride.cc",
     "  change.ride.Edit()->set_epoch(epoch + 1);\n",
     "  change.ride.Edit()->set_epoch(epoch + 1);\n"
     "  Encode(*change.ride.match_deadline() + absl::Seconds(120), change.ride.Edit()->mutable_match_deadline());\n"),
    ("accept after expiry", "driver-service/domain/offer_book.cc",
     "    if (now.domain >= offer.expires) {\n      Expire(now, offer);", "    if (false) {\n      Expire(now, offer);"),
    ("let offers never expire", "driver-service/domain/offer_book.cc",
     "if (offer != nullptr && offer->status == OfferStatus::kPending) Expire(now, *offer);", ";"),
    ("ignore leg", "rider-service/domain/ride.cc",
     "  const bool this_leg = !of_a_leg || command.leg == ride.leg();",
     "  const bool this_leg = true;\n  const_cast<DriverCommand&>(command).leg = ride.leg();"),
    ("tell each wait anew", "rider-service/domain/ride.cc",
     "    if (ride.message().has_wait() && ride.message().wait().reason() == wait->reason) return Unchanged(ride);\n", ""),
    ("keep a wait in the next state", "rider-service/domain/ride.cc", "    ride.clear_wait();\n", ""),
    ("keep the epoch on re-dispatch", "rider-service/domain/ride.cc",
     "  next.set_epoch(ride.epoch() + 1);", "  next.set_epoch(ride.epoch());"),
    ("never give up an unseen assignment", "rider-service/domain/ride.cc",
     "  return Redispatch(ride, transition, CancelReason::kDriverUnreachable, rules, now);", "  return Unchanged(ride);"),
    ("do not know a replayed confirm", "rider-service/domain/ride.cc",
     "if (ride.driver() != nullptr && ride.driver()->driver_id() == driver_id && ride.offer_id() == assignment.offer_id) {",
     "if (false) {"),
    ("offer to drivers who are not caught up", "driver-service/domain/session_registry.cc",
     "IsConnected(now, session) && session.synced &&", "IsConnected(now, session) &&"),
    ("forget the live offer of a ride", "driver-service/domain/dispatch.cc",
     "  if (!replicas_.HasLiveOffer(ride_id)) queue_.Free(now, ride_id);", "  queue_.Free(now, ride_id);"),
    ("ignore the 2 s check", "rider-service/domain/ride_feed.cc",
     "  Know(sequence);\n  ReadOn();\n", "  Know(sequence);\n"),
    ("lose what a cursor missed", "rider-service/domain/ride_feed.cc",
     "      CursorFeed::Begin(*cursor_);\n", "      CursorFeed::Begin(present);\n"),
    ("never end a ride without a report of driver-service", "rider-service/domain/dispatch_scheduler.cc",
     "deadline : deadline + rules_.offer_time + rules_.unfulfilled_grace;", "deadline : absl::InfiniteFuture();"),
    ("show riders to anybody", "rider-service/domain/rides.cc",
     "    if (!*ride || (*ride)->rider_id() != rider_id) return done(NoSuchRide());\n    done(RideForRider(**std::move(ride)));\n  });\n}\n\nvoid Rides::GetActive",
     "    if (!*ride) return done(NoSuchRide());\n    done(RideForRider(**std::move(ride)));\n  });\n}\n\nvoid Rides::GetActive"),
    ("cancel anybody's ride", "rider-service/domain/rides.cc",
     "    if (ride.rider_id() != rider_id) return NoSuchRide();\n    return CancelByRider", "    return CancelByRider"),
    # Replicas of rider-service.
    ("adopt a ride without the incarnation", "rider-service/domain/dispatch_scheduler.cc",
     "    entry.needs_new_epoch = from_store;", "    entry.needs_new_epoch = false;"),
    ("start a ride again that a repeated request found", "rider-service/api/dispatch_client.cc",
     "scheduler_.OnDispatchable(now, {ride});", "scheduler_.OnRide(now, ride);"),
    ("take a failed commit for no commit", "rider-service/api/dispatch_client.cc",
     "        if (scheduler_.Has(ride_id)) ReadAgain(ride_id);\n", ""),
    # Replicas of driver-service.
    ("two sessions for one driver", "driver-service/domain/session_registry.cc",
     "  if (session == nullptr || epoch <= session->claim) return;\n", "  return;\n"),
    # The broken code stands in for the SQL; SharedDriverStore tests the SQL for the same behaviour.
    ("store an availability without the session", "tests/simulation/sim_driver_store.cc",
     "        if (present.replica != session.replica || present.epoch != session.epoch) {\n", "        if (false) {\n"),
    ("forget the 2 s check of claims", "driver-service/api/replicas.cc",
     "    loop.Every(kCheckEvery, [this] { CheckClaims(); });\n", ""),
    ("offer what another dispatch is offering", "driver-service/domain/replica_protocol.cc",
     "    return status != OfferStatus::kPending || epoch > start.epoch;\n", "    return false;\n"),
    ("dispatch on when a ride is started elsewhere", "driver-service/domain/replica_protocol.cc",
     "  queue_.EndDispatch(now, started.ride_id, started.epoch - 1);\n  RevokePending(now, started.ride_id, started.epoch, RevokeReason::kSuperseded);\n", ""),
    # Clocks.
    ("read the wall clock as it is set", "common/time/steady_wall.cc",
     "  wall_ += passed;\n", "  return wall_ = wall;\n"),
]

# Mutants with a test that finds them: the program, and its arguments. The simulated disks have no SQL, so the suites
# that compare both kinds of store find broken SQL. A dispatch that another replica took over is refused when its offer
# is confirmed, so only the driver's time is lost.
# name, file, the code as it is, the code broken, the test.
MUTANTS_FOR_TESTS = [
    ("do not ask which rides others took over", "rider-service/api/dispatch_client.cc",
     "  if (ride_ids.empty()) return;\n", "  if (!ride_ids.empty()) return;\n",
     "hail_integration_both_test", "--gtest_filter=RiderReplicas.WithoutABus*"),
    ("drop the SAVEPOINT", "common/sqlite/group_committer.cc",
     'status = sqlite::Run(*connection_, "ROLLBACK TO job");', "status = absl::OkStatus();",
     "ride_store_conformance_test"),
]


def run(command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True, **kwargs)


def copy_sources(to):
    """The tracked and new files as they are now; those that did not change keep their times, so that they are not built
    again."""
    listed = run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).is_file():
            continue
        data = (ROOT / name).read_bytes()
        target = to / name
        if target.exists() and target.read_bytes() == data:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def check(source):
    """What is wrong with the mutants, each in a line: a change of the code may have changed their lines."""
    wrong = []
    for name, path, old, new, *_ in [*MUTANTS, *MUTANTS_FOR_TESTS]:
        count = (source / path).read_text().count(old)
        if count != 1 or old == new:
            wrong.append(f"mutant '{name}': its line stands {count} times in {path}; mend {__file__}")
    return "\n".join(wrong)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=pathlib.Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seeds", type=int, default=2500)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", default="")
    arguments = parser.parse_args()
    if wrong := check(ROOT):
        sys.exit(wrong)
    if arguments.check:
        return 0
    # Build in the place of a clone, so that ccache finds its cached objects.
    source = arguments.dir.resolve() / "hail"
    build = source / "build" / "release"
    copy_sources(source)
    configured = run(["cmake", "--preset", "release"], cwd=source)
    if configured.returncode != 0:
        sys.exit(configured.stdout + configured.stderr)
    tests = sorted({test for _, _, _, _, test, *_ in MUTANTS_FOR_TESTS})
    make = ["cmake", "--build", build, "--target", "hail-simulate"]
    print("building the sources as they are", flush=True)
    built = run([*make, *tests])
    if built.returncode != 0:
        sys.exit(built.stdout[-4000:])

    rows = []
    survived = 0
    for name, path, old, new, *test in [*MUTANTS, *MUTANTS_FOR_TESTS]:
        if arguments.only and arguments.only not in name:
            continue
        file = source / path
        text = file.read_text()
        begin = time.time()
        file.write_text(text.replace(old, new))
        try:
            built = run([*make[:-1], *(test[:1] or make[-1:])])
            if built.returncode != 0:
                sys.exit(f"mutant '{name}' does not compile:\n{built.stdout[-3000:]}")
            command = ([build / "tests" / test[0], *test[1:]] if test else
                       [build / "bin" / "hail-simulate", "--seeds", str(arguments.seeds), "--stop-at-first"])
            if arguments.jobs and not test:
                command += ["--jobs", arguments.jobs]
            out = run(command).stdout
        finally:
            file.write_text(text)
        found = re.search(r"seed (\d+) breaks invariant (\d+): ([^:]*)", out)
        failed = re.search(r"\[  FAILED  \] (\S+)", out)
        if failed:
            row = (name, path, f"{test[0]}: {failed[1].rstrip(',')}", "-")
        elif found:
            row = (name, path, f"{found[2]}: {found[3]}", found[1])
        else:
            died = "a worker died" in out
            survived += not died
            row = (name, path, "the process dies" if died else "SURVIVED", "-")
        rows.append(row)
        print("%-52s %-60s seed %s (%d s)" % (row[0], row[2], row[3], time.time() - begin), flush=True)

    print("\n| mutant | in | found by (invariant: rule) | seeds needed |\n|---|---|---|---|")
    for name, path, rule, seed in rows:
        print(f"| {name} | `{path}` | {rule} | {seed} |")
    print(f"{len(rows)} mutants, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
