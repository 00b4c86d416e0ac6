#include "tests/conformance/ride_store_conformance.h"

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/errors/error.h"
#include "tests/matchers.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Ids(const std::vector<Ride>& rides) {
  std::vector<std::string> ids;
  for (const Ride& ride : rides) ids.push_back(ride.ride_id());
  return ids;
}

std::vector<std::int64_t> SequencesOf(const std::vector<RideEvent>& events) {
  std::vector<std::int64_t> sequences;
  for (const RideEvent& event : events) sequences.push_back(event.sequence());
  return sequences;
}

// A ride as the log keeps it.
Ride WithoutInternals(Ride ride) {
  ride.EditInternals()->Clear();
  return ride;
}

RideEvent WithoutInternals(RideEvent event) {
  event.ride = WithoutInternals(event.ride);
  if (event.former) event.former = WithoutInternals(*event.former);
  return event;
}

// --- Create ---

TEST_P(RideStoreConformance, KeepsARideAndItsFirstEvent) {
  const absl::StatusOr<Created> created = Create(Requested());
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_FALSE(created->existed);
  EXPECT_EQ(created->ride, NewRide(Requested(), rules_, kT0).ride);
  EXPECT_EQ(created->event->sequence(), 1);
  EXPECT_EQ(Find("ride-1"), created->ride);
  EXPECT_FALSE(Find("ride-2"));
  const RideLog log = *Log("ride-1", 0);
  EXPECT_EQ(log.ride, created->ride);
  ASSERT_EQ(log.events.size(), 1u);
  EXPECT_EQ(log.events[0].type(), RideEventType::kRequested);
  EXPECT_EQ(log.events[0].driver_sequence, 0);
  EXPECT_EQ(log.events[0].driver_id, "");
}

TEST_P(RideStoreConformance, OneRequestIdOneRide) {
  ASSERT_TRUE(Create(Requested()).ok());
  const Ride present = Confirm("ride-1", "driver-1", "offer-1")->ride;
  const absl::StatusOr<Created> again = Create(Requested("ride-2"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->existed);
  EXPECT_FALSE(again->event);
  EXPECT_EQ(again->ride, present) << "the ride's present state";

  Ride other = Requested("ride-3");
  other.EditInternals()->set_request_fingerprint("1:other");
  const absl::Status reused = Create(other).status();
  ASSERT_TRUE(HasReason(reused, Reason::kRequestIdReused)) << reused;
  EXPECT_EQ(reused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(DetailsOf(reused)->metadata.at("ride_id"), "ride-1");
  EXPECT_THAT(Sequences({"ride-1", "ride-2", "ride-3"}), ElementsAre(Pair("ride-1", 2)));

  // The request id is known as long as the ride is stored, also after its end.
  ASSERT_TRUE(Take("ride-1", trip::Arrive{}).ok());
  ASSERT_TRUE(Take("ride-1", trip::Start{}).ok());
  ASSERT_TRUE(Change("ride-1", [](const Ride& ride) { return Resolve(ride, Resolution::kComplete, "ops", kT0); }).ok());
  EXPECT_TRUE(Create(Requested("ride-4"))->existed);
  EXPECT_TRUE(HasReason(Create(other).status(), Reason::kRequestIdReused));
  // The same request id of another rider is another request.
  EXPECT_FALSE(Create(Requested("ride-5", "rider-2", "request-1"))->existed);
}

TEST_P(RideStoreConformance, OneLiveRidePerRider) {
  ASSERT_TRUE(Create(Requested()).ok());
  const absl::Status busy = Create(Requested("ride-2", "rider-1", "request-2")).status();
  ASSERT_TRUE(HasReason(busy, Reason::kRiderBusy)) << busy;
  EXPECT_EQ(busy.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DetailsOf(busy)->metadata.at("ride_id"), "ride-1");
  EXPECT_FALSE(Find("ride-2"));
  ASSERT_TRUE(CallOff("ride-1").ok());
  // The refused request used up neither its ride_id nor its request_id.
  EXPECT_FALSE(Create(Requested("ride-2", "rider-1", "request-2"))->existed);
}

TEST_P(RideStoreConformance, ARiderIsBusyInEachLiveStateAndFreeAfterIt) {
  struct Stage {
    std::string name;
    Decide decide;
  };
  const auto take = [this](TripAction step) -> Decide {
    return [=, this](const Ride& ride) { return TakeStep(ride, Command(ride, step), rules_, kT0); };
  };
  const std::vector<Stage> stages = {
      {"matching", nullptr},
      {"assigned", [](const Ride& ride) { return Assign(ride, Offer(ride), {}, kT0); }},
      {"arrived", take(trip::Arrive{})},
      {"started", take(trip::Start{})},
  };
  ASSERT_TRUE(Create(Requested()).ok());
  for (const auto& [name, decide] : stages) {
    if (decide) {
      ASSERT_TRUE(Change("ride-1", decide).ok()) << name;
    }
    EXPECT_TRUE(HasReason(Create(Requested("ride-2", "rider-1", "request-2")).status(), Reason::kRiderBusy)) << name;
  }
  ASSERT_TRUE(Change("ride-1", take(trip::Complete{})).ok());
  EXPECT_TRUE(Create(Requested("ride-2", "rider-1", "request-2")).ok());
  ASSERT_TRUE(Change("ride-2", [](const Ride& ride) -> absl::StatusOr<RideChange> {
                return EndUnfulfilled(ride, ride.epoch(), *ride.match_deadline());
              }).ok());
  EXPECT_TRUE(Create(Requested("ride-3", "rider-1", "request-3")).ok());
}

TEST_P(RideStoreConformance, AQuoteIsUsedOnce) {
  Ride first = Requested();
  first.Edit()->set_quote_id("quote-1");
  Ride second = Requested("ride-2", "rider-2");
  second.Edit()->set_quote_id("quote-1");
  ASSERT_TRUE(Create(first).ok());
  const absl::Status used = Create(second).status();
  EXPECT_TRUE(HasReason(used, Reason::kQuoteUsed)) << used;
  EXPECT_EQ(used.code(), absl::StatusCode::kFailedPrecondition);
  second.Edit()->set_quote_id("quote-2");
  EXPECT_TRUE(Create(second).ok());
  // The quote stays used after its ride is over.
  ASSERT_TRUE(CallOff("ride-1").ok());
  Ride third = Requested("ride-3", "rider-3");
  third.Edit()->set_quote_id("quote-1");
  EXPECT_TRUE(HasReason(Create(third).status(), Reason::kQuoteUsed));
  // Any number of rides may have no quote.
  EXPECT_TRUE(Create(Requested("ride-4", "rider-4")).ok());
  EXPECT_TRUE(Create(Requested("ride-5", "rider-5")).ok());
}

TEST_P(RideStoreConformance, TheRequestIsLookedUpBeforeTheRiderAndTheQuote) {
  Ride first = Requested();
  first.Edit()->set_quote_id("quote-1");
  ASSERT_TRUE(Create(first).ok());
  // This very request made the rider busy and used the quote.
  first.Edit()->set_ride_id("ride-2");
  EXPECT_TRUE(Create(first)->existed);
  first.EditInternals()->set_request_fingerprint("1:other");
  EXPECT_TRUE(HasReason(Create(first).status(), Reason::kRequestIdReused));
  // For another request, the rider is checked before the quote.
  first.Edit()->set_request_id("request-2");
  EXPECT_TRUE(HasReason(Create(first).status(), Reason::kRiderBusy));
  first.Edit()->set_rider_id("rider-2");
  EXPECT_TRUE(HasReason(Create(first).status(), Reason::kQuoteUsed));
}

// --- Change ---

TEST_P(RideStoreConformance, RowAndEventChangeTogether) {
  ASSERT_TRUE(Create(Requested()).ok());
  const absl::StatusOr<Changed> changed = Confirm("ride-1", "driver-1", "offer-1");
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_TRUE(changed->changed);
  EXPECT_EQ(changed->ride.state(), RideState::kEnrouteToPickup);
  EXPECT_EQ(changed->event->driver_id, "driver-1");
  EXPECT_EQ(changed->event->driver_sequence, 1);
  EXPECT_EQ(Find("ride-1"), changed->ride);
  EXPECT_THAT(Log("ride-1", 1)->events, ElementsAre(WithoutInternals(*changed->event)));
  ASSERT_TRUE(Take("ride-1", trip::Seen{}).ok());
  EXPECT_EQ(Log("ride-1", 1)->events.size(), 2u);
}

// A whole ride, with two assignments, from the request to its end.
TEST_P(RideStoreConformance, EveryFieldComesBack) {
  Ride request = Requested();
  request.Edit()->set_quote_id("quote-1");
  (*request.Edit()->mutable_labels())[""] = "empty key";
  (*request.Edit()->mutable_labels())["Zürich"] = "\"quoted\"";
  Encode(absl::Seconds(1) + absl::Nanoseconds(7), request.Edit()->mutable_pickup_eta());
  std::vector<RideEvent> answered = {*Create(request)->event};
  // Neither a whole second nor a whole microsecond.
  absl::Time now = kT0 + absl::Nanoseconds(123'456'789);
  const auto change = [&](const Decide& decide) {
    const absl::StatusOr<Changed> changed = Change("ride-1", decide);
    ASSERT_TRUE(changed.ok()) << changed.status();
    answered.push_back(*changed->event);
    EXPECT_EQ(Find("ride-1"), changed->ride);
    now += absl::Nanoseconds(1'000'000'001);
  };
  const auto take = [&](TripAction step, const std::string& driver_id) {
    change([&, step](const Ride& ride) { return TakeStep(ride, Command(ride, step, driver_id), rules_, now); });
  };
  change([&](const Ride& ride) { return Assign(ride, Offer(ride, "driver-1", "offer-1"), {}, now); });
  take(trip::Seen{}, "driver-1");
  take(trip::Cancel{}, "driver-1");
  change([&](const Ride& ride) { return Assign(ride, Offer(ride, "driver-2", "offer-2"), {}, now); });
  take(trip::Arrive{}, "driver-2");
  take(trip::Start{}, "driver-2");
  change([&](const Ride& ride) { return Resolve(ride, Resolution::kCancel, "by hand", now); });
  EXPECT_THAT(Find("ride-1")->excluded_driver_ids(), ElementsAre("driver-1"));

  std::vector<RideEvent> kept = Log("ride-1", 0)->events;
  ASSERT_EQ(kept.size(), answered.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i], WithoutInternals(answered[i])) << "event " << i + 1 << ": the log holds no internals";
  }
}

TEST_P(RideStoreConformance, RefusalsAndUnchangedStoreNothing) {
  ASSERT_TRUE(Create(Requested()).ok());
  EXPECT_TRUE(HasReason(CallOff("ride-9").status(), Reason::kRideNotFound));
  EXPECT_EQ(CallOff("ride-9").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(HasReason(Take("ride-1", trip::Arrive{}).status(), Reason::kRideNotFound));
  const Ride assigned = Confirm("ride-1", "driver-1", "offer-1")->ride;
  const absl::StatusOr<Changed> replay = Confirm("ride-1", "driver-1", "offer-1");
  ASSERT_TRUE(replay.ok());
  EXPECT_FALSE(replay->changed);
  EXPECT_FALSE(replay->event);
  EXPECT_EQ(replay->ride, assigned);
  EXPECT_EQ(Log("ride-1", 0)->events.size(), 2u);
  EXPECT_EQ(DriverSequences({"driver-1"}).at("driver-1"), 1);
}

TEST_P(RideStoreConformance, ADecisionsRefusalComesThroughAsItIs) {
  ASSERT_TRUE(Create(Requested()).ok());
  const absl::Status refusal = FailedPrecondition(Reason::kStaleEpoch, "too late", {{"state", "MATCHING"}});
  EXPECT_EQ(Change("ride-1", [&](const Ride&) -> absl::StatusOr<RideChange> { return refusal; }).status(), refusal);
}

TEST_P(RideStoreConformance, ADriverHasOneLiveRide) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  const auto is_refused = [&] {
    const absl::Status busy = Confirm("ride-2", "driver-1", "offer-2").status();
    return HasReason(busy, Reason::kDriverBusy) && busy.code() == absl::StatusCode::kFailedPrecondition;
  };
  EXPECT_TRUE(is_refused());
  EXPECT_EQ(Find("ride-2")->state(), RideState::kMatching);
  EXPECT_EQ(Log("ride-2", 0)->events.size(), 1u);
  EXPECT_EQ(DriverSequences({"driver-1"}).at("driver-1"), 1);
  ASSERT_TRUE(Take("ride-1", trip::Arrive{}).ok());
  EXPECT_TRUE(is_refused());
  ASSERT_TRUE(Take("ride-1", trip::Start{}).ok());
  EXPECT_TRUE(is_refused());
  // Completed, it is free again.
  const auto complete = [&](const Ride& ride) { return TakeStep(ride, Command(ride, trip::Complete{}), rules_, kT0); };
  ASSERT_TRUE(Change("ride-1", complete).ok());
  EXPECT_TRUE(Confirm("ride-2", "driver-1", "offer-2").ok());
  // And when it gave one up.
  ASSERT_TRUE(Create(Requested("ride-3", "rider-3")).ok());
  ASSERT_TRUE(Take("ride-2", trip::Cancel{}).ok());
  EXPECT_TRUE(Confirm("ride-3", "driver-1", "offer-3").ok());
}

TEST_P(RideStoreConformance, AnEpochRisesWithoutAnEvent) {
  ASSERT_TRUE(Create(Requested()).ok());
  const auto raise = [](const Ride& ride) -> absl::StatusOr<RideChange> { return RaiseEpoch(ride, 1); };
  const absl::StatusOr<Changed> raised = Change("ride-1", raise);
  ASSERT_TRUE(raised.ok());
  EXPECT_TRUE(raised->changed);
  EXPECT_FALSE(raised->event);
  EXPECT_EQ(Find("ride-1")->epoch(), 2);
  EXPECT_EQ(Find("ride-1")->sequence(), 1);
  EXPECT_EQ(Log("ride-1", 0)->events.size(), 1u);
  EXPECT_FALSE(Change("ride-1", raise)->changed);
}

TEST_P(RideStoreConformance, ALateWriteIsNotBegun) {
  const auto cancel = [](const Ride& ride) { return CancelByRider(ride, CancelReason::kOther, "", kT0); };
  const absl::Time now = clock_.Read().wall;
  // The SQLite store may refuse a near deadline, if it expects too long a wait.
  const absl::Time far = now + absl::Hours(1);
  for (const absl::Time past : {now, now - absl::Milliseconds(1), absl::InfinitePast()}) {
    EXPECT_EQ(Create(Requested(), past).status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_FALSE(Find("ride-1"));
  }
  ASSERT_TRUE(Create(Requested(), far).ok());
  EXPECT_EQ(Change("ride-1", cancel, now).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Find("ride-1")->state(), RideState::kMatching);
  EXPECT_TRUE(Change("ride-1", cancel, far).ok());
}

// If the row changes after a decision, the store decides again on the new row.
TEST_P(RideStoreConformance, ALostRaceIsDecidedAgain) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  int calls = 0;
  const absl::StatusOr<Changed> changed = Change("ride-1", [&](const Ride& ride) -> absl::StatusOr<RideChange> {
    absl::StatusOr<RideChange> change = TakeStep(ride, Command(ride, trip::Seen{}), rules_, kT0);
    // Simulates a lost race: the changed ride_id makes the update match no row.
    if (++calls == 1) change->ride.Edit()->set_ride_id("ride-gone");
    return change;
  });
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(changed->ride.sequence(), 3);
  EXPECT_EQ(Log("ride-1", 0)->events.size(), 3u);
}

TEST_P(RideStoreConformance, ARaceThatIsNeverWonIsGivenUp) {
  ASSERT_TRUE(Create(Requested()).ok());
  const absl::Status status = Change("ride-1", [](const Ride& ride) -> absl::StatusOr<RideChange> {
                                RideChange change = RaiseEpoch(ride, 1);
                                change.ride.Edit()->set_ride_id("ride-gone");
                                return change;
                              }).status();
  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable)) << status;
  EXPECT_EQ(Find("ride-1")->epoch(), 1);
}

// A decision about one version of a row never changes another version: the update checks sequence and epoch.
TEST_P(RideStoreConformance, AChangeLandsOnlyOnTheSequenceAndEpochItWasDecidedOn) {
  for (const std::string n : {"1", "2", "3"}) ASSERT_TRUE(Create(Requested("ride-" + n, "rider-" + n)).ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-2", "offer-2").ok());
  ASSERT_TRUE(
      Change("ride-3", [](const Ride& ride) -> absl::StatusOr<RideChange> { return RaiseEpoch(ride, 1); }).ok());
  // ride-2 has another sequence than ride-1; ride-3 has another epoch.
  for (const std::string other : {"ride-2", "ride-3"}) {
    const Ride before = *Find(other);
    const absl::Status status = Change("ride-1", [&](const Ride&) -> absl::StatusOr<RideChange> {
                                  RideChange change{.ride = before, .event = std::nullopt};
                                  (*change.ride.Edit()->mutable_labels())["changed"] = "yes";
                                  return change;
                                }).status();
    EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable)) << other << status;
    EXPECT_EQ(Find(other), before);
  }
}

// If the event is refused after the row was changed, neither is stored; other commands of the batch are.
TEST_P(RideStoreConformance, ACommandThatFailsHalfwayLeavesNothing) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  const Ride before = *Find("ride-1");
  // The first command holds the writer until all are queued, so that they can share a batch.
  absl::Notification queued;
  const std::vector<absl::StatusOr<Changed>> outcomes = AwaitAll<Changed>(3, [&](std::size_t i, Done<Changed> done) {
    if (i == 0) {
      store().Change(
          "ride-2",
          [&](const Ride& ride) -> absl::StatusOr<RideChange> {
            queued.WaitForNotification();
            return RaiseEpoch(ride, 1);
          },
          absl::InfiniteFuture(), std::move(done));
    } else if (i == 1) {
      store().Change(
          "ride-1",
          [](const Ride& ride) {
            absl::StatusOr<RideChange> change = Assign(ride, Offer(ride, "driver-1", "offer-1"), {}, kT0);
            change->event->message.set_sequence(1);  // which the ride has
            return change;
          },
          absl::InfiniteFuture(), std::move(done));
    } else {
      store().Change(
          "ride-2", [](const Ride& ride) { return Assign(ride, Offer(ride, "driver-2", "offer-2"), {}, kT0); },
          absl::InfiniteFuture(), std::move(done));
      queued.Notify();
    }
  });
  EXPECT_TRUE(outcomes[0].ok()) << outcomes[0].status();
  EXPECT_FALSE(outcomes[1].ok());
  EXPECT_TRUE(outcomes[2].ok()) << outcomes[2].status();
  EXPECT_EQ(Find("ride-1"), before);
  EXPECT_EQ(Log("ride-1", 0)->events.size(), 1u);
  EXPECT_THAT(DriverSequences({"driver-1", "driver-2"}), ElementsAre(Pair("driver-1", 0), Pair("driver-2", 1)));
  EXPECT_EQ(Find("ride-2"), outcomes[2]->ride);
  // The driver of the failed command is free.
  EXPECT_TRUE(Confirm("ride-1", "driver-1", "offer-3").ok());
}

TEST_P(RideStoreConformance, OneRefusedCommandDoesNotHurtItsBatchNeighbours) {
  ASSERT_TRUE(Create(Requested("ride-0", "rider-0")).ok());
  // The first command holds the writer until all are queued, so that the rest can share a batch. The others come in
  // pairs, one pair for each rider.
  absl::Notification queued;
  constexpr std::size_t kRiders = 20;
  const std::vector<absl::StatusOr<bool>> outcomes = AwaitAll<bool>(1 + 2 * kRiders, [&](std::size_t i,
                                                                                         const Done<bool>& done) {
    const auto tell = [done](const auto& result) { result.ok() ? done(true) : done(result.status()); };
    if (i == 0) {
      store().Change(
          "ride-0",
          [&](const Ride& ride) -> absl::StatusOr<RideChange> {
            queued.WaitForNotification();
            return RaiseEpoch(ride, 1);
          },
          absl::InfiniteFuture(), tell);
      return;
    }
    const std::string id = std::to_string(i);
    const std::string rider = "rider-" + std::to_string((i + 1) / 2);
    store().Create(NewRide(Requested("ride-" + id, rider, "request-" + id), rules_, kT0), absl::InfiniteFuture(), tell);
    if (i == 2 * kRiders) queued.Notify();
  });
  EXPECT_TRUE(outcomes[0].ok());
  for (std::size_t i = 1; i <= 2 * kRiders; i += 2) {
    const absl::StatusOr<bool>& winner = outcomes[i].ok() ? outcomes[i] : outcomes[i + 1];
    const absl::StatusOr<bool>& loser = outcomes[i].ok() ? outcomes[i + 1] : outcomes[i];
    EXPECT_TRUE(winner.ok()) << i << winner.status();
    EXPECT_TRUE(HasReason(loser.status(), Reason::kRiderBusy)) << i << loser.status();
    const std::string winner_id = "ride-" + std::to_string(outcomes[i].ok() ? i : i + 1);
    const std::string loser_id = "ride-" + std::to_string(outcomes[i].ok() ? i + 1 : i);
    EXPECT_EQ(Log(winner_id, 0)->events.size(), 1u);
    EXPECT_FALSE(Find(loser_id));
  }
}

TEST_P(RideStoreConformance, RacingConfirmationsOfOneRideHaveOneWinner) {
  ASSERT_TRUE(Create(Requested()).ok());
  const auto outcomes = AwaitAll<Changed>(20, [&](std::size_t i, Done<Changed> done) {
    const std::string id = std::to_string(i);
    store().Change(
        "ride-1",
        [id](const Ride& ride) {
          return Assign(ride, {1, Driver("driver-" + id), "offer-" + id, {}}, {}, kT0);
        },
        absl::InfiniteFuture(), std::move(done));
  });
  std::vector<std::string> winners;
  for (const absl::StatusOr<Changed>& outcome : outcomes) {
    if (outcome.ok()) {
      winners.push_back(outcome->ride.driver()->driver_id());
    } else {
      EXPECT_TRUE(HasReason(outcome.status(), Reason::kRideNotMatching)) << outcome.status();
    }
  }
  EXPECT_THAT(winners, ElementsAre(Find("ride-1")->driver()->driver_id()));
  EXPECT_EQ(Log("ride-1", 0)->events.size(), 2u);
}

TEST_P(RideStoreConformance, RacingConfirmationsByOneDriverHaveOneWinner) {
  constexpr std::size_t kRides = 20;
  for (std::size_t i = 0; i < kRides; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-" + id)).ok());
  }
  const auto outcomes = AwaitAll<Changed>(kRides, [&](std::size_t i, Done<Changed> done) {
    const std::string id = std::to_string(i);
    store().Change(
        "ride-" + id, [id](const Ride& ride) { return Assign(ride, Offer(ride, "driver-1", "offer-" + id), {}, kT0); },
        absl::InfiniteFuture(), std::move(done));
  });
  std::vector<std::string> won;
  for (const absl::StatusOr<Changed>& outcome : outcomes) {
    if (outcome.ok()) {
      won.push_back(outcome->ride.ride_id());
    } else {
      EXPECT_TRUE(HasReason(outcome.status(), Reason::kDriverBusy)) << outcome.status();
    }
  }
  EXPECT_THAT(won, ElementsAre(CatchUp("driver-1")->ride->ride_id()));
  EXPECT_EQ(DriverEvents("driver-1", 0).size(), 1u);
}

TEST_P(RideStoreConformance, EverythingIsThereAfterReopening) {
  ASSERT_TRUE(Create(Requested()).ok());
  const Ride before = Confirm("ride-1", "driver-1", "offer-1")->ride;
  const std::vector<RideEvent> log = Log("ride-1", 0)->events;
  const std::string key = QuoteKey();
  subject_->Reopen();
  EXPECT_EQ(Find("ride-1"), before);
  EXPECT_EQ(Log("ride-1", 0)->events, log);
  EXPECT_EQ(QuoteKey(), key);
  EXPECT_TRUE(Create(Requested("ride-2"))->existed);
  EXPECT_TRUE(HasReason(Create(Requested("ride-2", "rider-1", "request-2")).status(), Reason::kRiderBusy));
  EXPECT_FALSE(Confirm("ride-1", "driver-1", "offer-1")->changed) << "a replay after the restart";
  // The store continues from there.
  ASSERT_TRUE(Take("ride-1", trip::Arrive{}).ok());
  EXPECT_EQ(Log("ride-1", 2)->events[0].driver_sequence, 2);
}

TEST_P(RideStoreConformance, AQuoteKeyIsMadeOnce) {
  const auto keys = AwaitAll<std::string>(5, [&](std::size_t, Done<std::string> done) { store().QuoteKey(done); });
  for (const absl::StatusOr<std::string>& key : keys) {
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(*key, *keys[0]);
  }
  EXPECT_EQ(keys[0]->size(), 32u);
  EXPECT_GT(std::count_if(keys[0]->begin(), keys[0]->end(), [](char c) { return c != '\0'; }), 8);
}

// --- Reads ---

TEST_P(RideStoreConformance, AnEmptyStoreKnowsNothing) {
  using Found = std::optional<Ride>;
  EXPECT_FALSE(Find("ride-1"));
  EXPECT_FALSE(*Await<Found>([&](auto done) { store().ByRequest("rider-1", "request-1", done); }));
  EXPECT_FALSE(*Await<Found>([&](auto done) { store().ActiveOfRider("rider-1", done); }));
  EXPECT_FALSE(*Await<Found>([&](auto done) { store().ByOffer("driver-1", "offer-1", done); }));
  EXPECT_THAT(Sequences({}), IsEmpty());
  EXPECT_THAT(Sequences({"ride-1"}), IsEmpty());
  EXPECT_THAT(DriverSequences({"driver-1"}), ElementsAre(Pair("driver-1", 0)));
  EXPECT_THAT(DriverEvents("driver-1", 0), IsEmpty());
  EXPECT_THAT(Dispatchable(), IsEmpty());
  EXPECT_THAT(CountLive(), IsEmpty());
  EXPECT_TRUE(HasReason(Log("ride-1", std::nullopt).status(), Reason::kRideNotFound));
  EXPECT_TRUE(CatchUp("driver-1", Cursor{"ride-1", 1})->reset);
}

TEST_P(RideStoreConformance, FindsRidesByWhatIsKnownOfThem) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-2", "offer-2").ok());
  using Found = std::optional<Ride>;
  const auto by_request = [&](const std::string& rider, const std::string& request) {
    return *Await<Found>([&](auto done) { store().ByRequest(rider, request, done); });
  };
  EXPECT_EQ(by_request("rider-1", "request-1")->ride_id(), "ride-1");
  EXPECT_EQ(by_request("rider-2", "request-1"), Find("ride-2"));
  EXPECT_FALSE(by_request("rider-3", "request-1"));
  EXPECT_FALSE(by_request("rider-1", "request-2"));

  const auto active = [&](const std::string& rider) {
    return *Await<Found>([&](auto done) { store().ActiveOfRider(rider, done); });
  };
  EXPECT_EQ(active("rider-2")->ride_id(), "ride-2");
  ASSERT_TRUE(CallOff("ride-2").ok());
  EXPECT_FALSE(active("rider-2"));
  EXPECT_EQ(by_request("rider-2", "request-1")->state(), RideState::kCanceled);

  const auto by_offer = [&](const std::string& driver, const std::string& offer) {
    return *Await<Found>([&](auto done) { store().ByOffer(driver, offer, done); });
  };
  EXPECT_EQ(by_offer("driver-2", "offer-2")->state(), RideState::kCanceled) << "also after the ride's end";
  EXPECT_FALSE(by_offer("driver-1", "offer-2")) << "another driver's offer";
  EXPECT_FALSE(by_offer("driver-2", "offer-9"));
  // After a driver gave a ride up, its offer finds the ride as the driver last had it. The new assignment is found by
  // its own offer.
  ASSERT_TRUE(Confirm("ride-1", "driver-2", "offer-3").ok());
  const Ride had = *Find("ride-1");
  ASSERT_TRUE(Take("ride-1", trip::Cancel{}, "driver-2").ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-3", "offer-4").ok());
  EXPECT_EQ(by_offer("driver-3", "offer-4")->ride_id(), "ride-1");
  EXPECT_FALSE(by_offer("driver-3", "offer-4")->assignment_ended());
  for (int i = 0; i < 2; ++i) {
    const Found given_up = by_offer("driver-2", "offer-3");
    ASSERT_TRUE(given_up);
    EXPECT_TRUE(given_up->assignment_ended());
    EXPECT_EQ(given_up->state(), RideState::kEnrouteToPickup);
    EXPECT_EQ(given_up->epoch(), had.epoch());
    EXPECT_EQ(given_up->driver()->driver_id(), "driver-2");
    EXPECT_EQ(given_up->excluded_driver_ids().size(), 0u);
    EXPECT_FALSE(by_offer("driver-3", "offer-3")) << "another driver's offer";
    EXPECT_FALSE(by_offer("driver-2", "offer-4")) << "another driver's offer";
    subject_->Reopen();
  }
}

TEST_P(RideStoreConformance, AnOfferThatWasDeniedAssignsNothing) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  const auto by_offer = [&](const std::string& driver, const std::string& offer) {
    return *Await<std::optional<Ride>>([&](auto done) { store().ByOffer(driver, offer, done); });
  };
  ASSERT_FALSE(by_offer("driver-1", "offer-1"));
  ASSERT_FALSE(by_offer("driver-1", "offer-1")) << "a repeated lookup";
  EXPECT_TRUE(HasReason(Confirm("ride-1", "driver-1", "offer-1").status(), Reason::kOfferExpired));
  subject_->Reopen();
  EXPECT_TRUE(HasReason(Confirm("ride-1", "driver-1", "offer-1").status(), Reason::kOfferExpired));
  EXPECT_EQ(Find("ride-1")->state(), RideState::kMatching);
  EXPECT_THAT(DriverEvents("driver-1", 0), IsEmpty());
  // A lookup by another driver does not deny the offer.
  ASSERT_FALSE(by_offer("driver-2", "offer-2"));
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-2").ok());
  EXPECT_EQ(by_offer("driver-1", "offer-2")->ride_id(), "ride-1");
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-2").ok()) << "a replay of the committed confirmation";
}

// Either the confirmation comes first and wins, or the denial comes first and stands.
TEST_P(RideStoreConformance, ALookupAndAWaitingConfirmationGetConsistentAnswers) {
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    ASSERT_TRUE(Create(Requested("ride-" + n, "rider-" + n)).ok());
    absl::StatusOr<std::optional<Ride>> found = absl::UnknownError("not called");
    absl::Notification asked;
    const absl::StatusOr<Changed> confirmed = Await<Changed>([&](Done<Changed> done) {
      store().Change(
          "ride-" + n,
          [&](const Ride& ride) { return Assign(ride, Offer(ride, "driver-" + n, "offer-" + n), {}, kT0); },
          absl::InfiniteFuture(), std::move(done));
      store().ByOffer("driver-" + n, "offer-" + n, [&](absl::StatusOr<std::optional<Ride>> ride) {
        found = std::move(ride);
        asked.Notify();
      });
    });
    WaitFor(asked);
    ASSERT_TRUE(found.ok()) << found.status();
    if (*found) {
      EXPECT_TRUE(confirmed.ok()) << confirmed.status();
      EXPECT_EQ((*found)->ride_id(), "ride-" + n);
    } else {
      EXPECT_TRUE(HasReason(confirmed.status(), Reason::kOfferExpired)) << confirmed.status();
    }
  }
}

TEST_P(RideStoreConformance, ListsARidersRidesLatestFirstPageByPage) {
  for (int i = 1; i <= 5; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-1", "request-" + id)).ok());
    if (i == 5) break;
    ASSERT_TRUE(CallOff("ride-" + id).ok());
  }
  ASSERT_TRUE(Create(Requested("ride-6", "rider-2", "request-6")).ok());
  const auto list = [&](const RiderListing& listing) {
    return *Await<RidePage>([&](auto done) { store().ListOfRider(listing, done); });
  };
  RidePage page = list({"rider-1", {}, "", 2});
  EXPECT_THAT(Ids(page.rides), ElementsAre("ride-5", "ride-4"));
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.rides[0], Find("ride-5"));
  page = list({"rider-1", {}, "ride-4", 3});
  EXPECT_THAT(Ids(page.rides), ElementsAre("ride-3", "ride-2", "ride-1"));
  EXPECT_FALSE(page.more);
  EXPECT_THAT(Ids(list({"rider-1", {}, "ride-1", 3}).rides), IsEmpty());
  EXPECT_THAT(Ids(list({"rider-1", {RideState::kMatching}, "", 20}).rides), ElementsAre("ride-5"));
  page = list({"rider-1", {RideState::kMatching, RideState::kCanceled}, "ride-3", 1});
  EXPECT_THAT(Ids(page.rides), ElementsAre("ride-2"));
  EXPECT_TRUE(page.more);
  EXPECT_THAT(Ids(list({"rider-9", {}, "", 20}).rides), IsEmpty());
}

TEST_P(RideStoreConformance, ListsADriversRidesLatestAssignmentFirst) {
  // Assigned in the order 2, 3, 1, the last two within a microsecond, which the list treats as the same instant.
  const std::vector<std::pair<std::string, absl::Duration>> assignments = {
      {"2", absl::Seconds(1)}, {"3", absl::Seconds(2)}, {"1", absl::Seconds(2) + absl::Nanoseconds(400)}};
  for (const auto& [id, after] : assignments) {
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-" + id)).ok());
    ASSERT_TRUE(Change("ride-" + id, [&, id = id, after = after](const Ride& ride) {
                  return Assign(ride, Offer(ride, "driver-1", "offer-" + id), {}, kT0 + after);
                }).ok());
    ASSERT_TRUE(CallOff("ride-" + id).ok());
  }
  // driver-1 gave ride-4 up, and driver-2 has it now. The list shows it as driver-1 last had it, ordered by assignment.
  ASSERT_TRUE(Create(Requested("ride-4", "rider-4")).ok());
  ASSERT_TRUE(Change("ride-4", [](const Ride& ride) {
                return Assign(ride, Offer(ride, "driver-1", "offer-4"), {}, kT0 + absl::Milliseconds(1500));
              }).ok());
  ASSERT_TRUE(Take("ride-4", trip::Cancel{}).ok());
  ASSERT_TRUE(Confirm("ride-4", "driver-2", "offer-5").ok());
  const auto list = [&](const DriverListing& listing) {
    return *Await<RidePage>([&](auto done) { store().ListOfDriver(listing, done); });
  };
  const RidePage page = list({"driver-1", std::nullopt, "", 2});
  EXPECT_THAT(Ids(page.rides), ElementsAre("ride-3", "ride-1"));
  EXPECT_TRUE(page.more);
  EXPECT_FALSE(page.rides[0].assignment_ended());
  const RidePage next = list({"driver-1", page.rides.back().assign_time(), "ride-1", 1});
  ASSERT_THAT(Ids(next.rides), ElementsAre("ride-4"));
  EXPECT_TRUE(next.more);
  EXPECT_TRUE(next.rides[0].assignment_ended());
  EXPECT_EQ(next.rides[0].driver()->driver_id(), "driver-1");
  EXPECT_EQ(next.rides[0].state(), RideState::kEnrouteToPickup);
  const RidePage rest = list({"driver-1", next.rides.back().assign_time(), "ride-4", 2});
  EXPECT_THAT(Ids(rest.rides), ElementsAre("ride-2"));
  EXPECT_FALSE(rest.more);
  const RidePage others = list({"driver-2", std::nullopt, "", 2});
  ASSERT_THAT(Ids(others.rides), ElementsAre("ride-4"));
  EXPECT_FALSE(others.rides[0].assignment_ended());
  EXPECT_THAT(Ids(list({"driver-3", std::nullopt, "", 2}).rides), IsEmpty());
}

TEST_P(RideStoreConformance, ReadsALogAfterACursor) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  ASSERT_TRUE(Take("ride-1", trip::Cancel{}).ok());
  EXPECT_THAT(Log("ride-1", std::nullopt)->events, IsEmpty());
  EXPECT_THAT(SequencesOf(Log("ride-1", 0)->events), ElementsAre(1, 2, 3));
  const RideLog log = *Log("ride-1", 1);
  ASSERT_THAT(SequencesOf(log.events), ElementsAre(2, 3));
  EXPECT_EQ(log.ride, Find("ride-1"));
  const RideEvent& last = log.events[1];
  EXPECT_EQ(last.type(), RideEventType::kRedispatched);
  EXPECT_EQ(last.driver_id, "driver-1");
  EXPECT_TRUE(last.ended());
  ASSERT_TRUE(last.former);
  EXPECT_EQ(last.former->driver()->driver_id(), "driver-1");
  EXPECT_FALSE(log.events[0].former);
  EXPECT_THAT(Log("ride-1", 3)->events, IsEmpty());
  EXPECT_THAT(Log("ride-1", 7)->events, IsEmpty());
  EXPECT_TRUE(HasReason(Log("ride-9", 0).status(), Reason::kRideNotFound));
}

TEST_P(RideStoreConformance, ADriversEventsAreNumberedOverAllRides) {
  for (const std::string id : {"1", "2"}) {
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-" + id)).ok());
    ASSERT_TRUE(Confirm("ride-" + id, "driver-1", "offer-" + id).ok());
    ASSERT_TRUE(Take("ride-" + id, trip::Cancel{}).ok());
  }
  // An event of another driver.
  ASSERT_TRUE(Confirm("ride-1", "driver-2", "offer-3").ok());
  const std::vector<RideEvent> events = DriverEvents("driver-1", 1);
  ASSERT_EQ(events.size(), 3u);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].driver_sequence, static_cast<std::int64_t>(i) + 2);
    EXPECT_EQ(events[i].driver_id, "driver-1");
  }
  EXPECT_THAT(DriverEvents("driver-1", 4), IsEmpty());
  EXPECT_THAT(DriverSequences({"driver-1", "driver-2", "driver-3"}),
              UnorderedElementsAre(Pair("driver-1", 4), Pair("driver-2", 1), Pair("driver-3", 0)));
}

TEST_P(RideStoreConformance, ADriversEventsComeAtMost256AtATime) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  constexpr std::size_t kMore = 299;
  const auto outcomes = AwaitAll<Changed>(kMore, [&](std::size_t, Done<Changed> done) {
    store().Change(
        "ride-1",
        [](const Ride& ride) -> absl::StatusOr<RideChange> {
          RideChange change{.ride = ride, .event = RideEvent()};
          change.ride.Edit()->set_sequence(ride.sequence() + 1);
          change.event->message.set_ride_id("ride-1");
          change.event->message.set_sequence(change.ride.sequence());
          change.event->message.set_type(hail::type::v1::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN);
          Encode(kT0, change.event->message.mutable_event_time());
          change.event->ride = change.ride;
          change.event->driver_id = "driver-1";
          return change;
        },
        absl::InfiniteFuture(), std::move(done));
  });
  for (const absl::StatusOr<Changed>& outcome : outcomes) ASSERT_TRUE(outcome.ok()) << outcome.status();
  std::vector<RideEvent> page = DriverEvents("driver-1", 0);
  ASSERT_EQ(page.size(), 256u);
  EXPECT_EQ(page.front().driver_sequence, 1);
  EXPECT_EQ(page.back().driver_sequence, 256);
  page = DriverEvents("driver-1", 256);
  ASSERT_EQ(page.size(), 44u);
  EXPECT_EQ(page.front().driver_sequence, 257);
  EXPECT_EQ(page.back().driver_sequence, 300);
}

TEST_P(RideStoreConformance, CatchesADriverUp) {
  EXPECT_EQ(CatchUp("driver-1")->driver_sequence, 0);
  EXPECT_FALSE(CatchUp("driver-1")->ride);
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  ASSERT_TRUE(Take("ride-1", trip::Seen{}).ok());
  ASSERT_TRUE(Take("ride-1", trip::Cancel{}).ok());
  EXPECT_EQ(CatchUp("driver-1")->driver_sequence, 3);
  EXPECT_FALSE(CatchUp("driver-1")->ride) << "given up";
  ASSERT_TRUE(Confirm("ride-1", "driver-2", "offer-2").ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-1", "offer-3").ok());

  const DriverCatchUp fresh = *CatchUp("driver-1");
  EXPECT_EQ(fresh.driver_sequence, 4);
  EXPECT_EQ(fresh.ride, Find("ride-2"));
  EXPECT_THAT(fresh.missed, IsEmpty());
  EXPECT_FALSE(fresh.reset);

  // Events of the cursor's ride while this driver had it, without those of driver-2.
  const DriverCatchUp resumed = *CatchUp("driver-1", Cursor{"ride-1", 2});
  EXPECT_THAT(SequencesOf(resumed.missed), ElementsAre(3, 4));
  EXPECT_FALSE(resumed.reset);
  EXPECT_EQ(resumed.ride->ride_id(), "ride-2");
  EXPECT_THAT(SequencesOf(CatchUp("driver-1", Cursor{"ride-1", 0})->missed), ElementsAre(2, 3, 4));
  EXPECT_FALSE(CatchUp("driver-1", Cursor{"ride-1", 4})->reset);
  EXPECT_FALSE(CatchUp("driver-1", Cursor{"", 0})->reset) << "a cursor before any event";

  for (const Cursor& nonsense : {Cursor{"ride-1", 5}, Cursor{"ride-9", 1}}) {
    const DriverCatchUp reset = *CatchUp("driver-1", nonsense);
    EXPECT_TRUE(reset.reset);
    EXPECT_THAT(reset.missed, IsEmpty());
    EXPECT_EQ(reset.ride->ride_id(), "ride-2");
    EXPECT_EQ(reset.driver_sequence, 4);
  }
  EXPECT_TRUE(CatchUp("driver-3", Cursor{"ride-1", 2})->reset) << "the driver never had the ride";
}

TEST_P(RideStoreConformance, TellsSequencesOfManyAtOnce) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-1", "offer-1").ok());
  EXPECT_THAT(Sequences({"ride-1", "ride-2", "ride-9"}), UnorderedElementsAre(Pair("ride-1", 1), Pair("ride-2", 2)));
}

TEST_P(RideStoreConformance, FindsWhatNeedsLookingAfter) {
  for (int i = 1; i <= 5; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-" + id)).ok());
    if (i > 1) {
      ASSERT_TRUE(Confirm("ride-" + id, "driver-" + id, "offer-" + id).ok());
    }
  }
  ASSERT_TRUE(Take("ride-3", trip::Seen{}, "driver-3").ok());
  ASSERT_TRUE(Take("ride-4", trip::Arrive{}, "driver-4").ok());
  ASSERT_TRUE(CallOff("ride-5").ok());
  const std::vector<Ride> found = Dispatchable();
  EXPECT_THAT(Ids(found), UnorderedElementsAre("ride-1", "ride-2"));
  for (const Ride& ride : found) EXPECT_EQ(ride, Find(ride.ride_id())) << "internals included";
}

TEST_P(RideStoreConformance, ARenewalThatComesAfterTheEndDoesNotUndoIt) {
  if (subject_->other() == nullptr) return;
  const auto renew = [this](absl::Duration lease) {
    absl::Status renewed;
    absl::Notification done;
    store().RenewLease(lease, [&](absl::Status status) {
      renewed = std::move(status);
      done.Notify();
    });
    WaitFor(done);
    return renewed;
  };
  ASSERT_TRUE(renew(absl::Seconds(50)).ok());
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(renew(absl::ZeroDuration()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(renew(absl::Seconds(50))));
  EXPECT_EQ(Await<std::vector<Ride>>([&](auto done) { subject_->other()->Orphans(done); })->size(), 1);
}

// The rules for several processes that share a store. A store that cannot be shared has nothing to test.
TEST_P(RideStoreConformance, ARideIsLookedAfterByWhoCommittedItLast) {
  RideStore* const other = subject_->other();
  EXPECT_EQ(store().shared(), other != nullptr);
  if (other == nullptr) return;
  const auto live = [&](RideStore* process, absl::Duration lease) {
    absl::Status renewed;
    absl::Notification done;
    process->RenewLease(lease, [&](absl::Status status) {
      renewed = std::move(status);
      done.Notify();
    });
    WaitFor(done);
    return renewed.ok();
  };
  const auto dispatchable = [&](RideStore* process) {
    return Ids(*Await<std::vector<Ride>>([&](auto done) { process->Dispatchable(done); }));
  };
  const auto orphans = [&](RideStore* process) {
    return Ids(*Await<std::vector<Ride>>([&](auto done) { process->Orphans(done); }));
  };
  const auto elsewhere = [&](RideStore* process, std::vector<std::string> ids) {
    return Ids(*Await<std::vector<Ride>>([&](auto done) { process->KeptElsewhere(ids, done); }));
  };
  const auto change = [&](RideStore* process, const std::string& ride_id, const Decide& decide) {
    return *Await<Changed>([&](auto done) { process->Change(ride_id, decide, absl::InfiniteFuture(), done); });
  };
  const auto raise = [](const Ride& ride) { return RaiseEpoch(ride, 1); };
  ASSERT_TRUE(live(&store(), absl::Seconds(50)) && live(other, absl::Seconds(50)));
  ASSERT_EQ(Create(Requested("ride-1", "rider-1"))->keeper, "");
  ASSERT_EQ(Create(Requested("ride-2", "rider-2"))->keeper, "");
  EXPECT_THAT(dispatchable(&store()), ElementsAre("ride-1", "ride-2"));
  EXPECT_THAT(dispatchable(other), IsEmpty());
  EXPECT_THAT(orphans(other), IsEmpty()) << "the owner is alive";
  EXPECT_THAT(elsewhere(other, {"ride-1", "ride-9"}), ElementsAre("ride-1"));

  const absl::StatusOr<Created> again = Await<Created>([&](auto done) {
    other->Create(NewRide(Requested("ride-3", "rider-1"), rules_, kT0), absl::InfiniteFuture(), done);
  });
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->keeper, "one");

  const Changed raised = change(other, "ride-2", raise);
  EXPECT_TRUE(raised.changed);
  EXPECT_EQ(raised.keeper, "one") << "the previous owner, to be notified";
  EXPECT_THAT(dispatchable(&store()), ElementsAre("ride-1"));
  EXPECT_THAT(dispatchable(other), ElementsAre("ride-2"));
  EXPECT_THAT(elsewhere(&store(), {"ride-1", "ride-2"}), ElementsAre("ride-2"));
  const Changed late = change(&store(), "ride-2", raise);
  EXPECT_FALSE(late.changed);
  EXPECT_EQ(late.keeper, "other") << "the present owner";
  EXPECT_EQ(change(other, "ride-2", raise).keeper, "") << "this process owns the ride already";

  ASSERT_TRUE(live(&store(), absl::ZeroDuration()));
  EXPECT_THAT(orphans(other), ElementsAre("ride-1"));
  EXPECT_THAT(dispatchable(other), ElementsAre("ride-1", "ride-2"));
  change(other, "ride-1", raise);
  EXPECT_THAT(orphans(other), IsEmpty());
  EXPECT_THAT(dispatchable(&store()), IsEmpty()) << "another process took the rides over";
}

TEST_P(RideStoreConformance, CountsLiveRidesAndTellsTheOldest) {
  const auto create = [&](const std::string& id, int second) {
    return Await<Created>([&](Done<Created> done) {
             store().Create(NewRide(Requested("ride-" + id, "rider-" + id), rules_, kT0 + absl::Seconds(second)),
                            absl::InfiniteFuture(), std::move(done));
           })
        .ok();
  };
  ASSERT_TRUE(create("1", 5) && create("2", 3) && create("3", 4) && create("4", 1) && create("5", 0));
  const auto assign = [&](const std::string& id, int second) {
    return Change("ride-" + id,
                  [&](const Ride& ride) {
                    return Assign(ride, Offer(ride, "driver-" + id, "offer-" + id), {}, kT0 + absl::Seconds(second));
                  })
        .ok();
  };
  ASSERT_TRUE(assign("4", 7));
  ASSERT_TRUE(CallOff("ride-5").ok());
  const std::map<RideState, LiveRides> live = CountLive();
  ASSERT_EQ(live.size(), 2u);
  EXPECT_EQ(live.at(RideState::kMatching).count, 3);
  EXPECT_EQ(live.at(RideState::kMatching).oldest, kT0 + absl::Seconds(3));
  EXPECT_EQ(live.at(RideState::kEnrouteToPickup).count, 1);
  EXPECT_EQ(live.at(RideState::kEnrouteToPickup).oldest, kT0 + absl::Seconds(7));
}

// --- Together with a later version ---

// Adds unknown fields, as a later version may have stored them.
void AddLaterFields(const std::string& text, google::protobuf::Message* message) {
  google::protobuf::UnknownFieldSet& fields = *message->GetReflection()->MutableUnknownFields(message);
  fields.AddVarint(1000, 7);
  fields.AddLengthDelimited(1001, text);
}

std::string LaterFieldsOf(const google::protobuf::Message& message) {
  std::string bytes;
  message.GetReflection()->GetUnknownFields(message).SerializeToString(&bytes);
  return bytes;
}

TEST_P(RideStoreConformance, WhatALaterVersionStoredGoesThroughEachChange) {
  Ride request = Requested();
  AddLaterFields("ride", request.Edit());
  AddLaterFields("pickup", request.Edit()->mutable_pickup());
  AddLaterFields("dropoff", request.Edit()->mutable_dropoff());
  AddLaterFields("fare", request.Edit()->mutable_fare());
  AddLaterFields("internals", request.EditInternals());
  ASSERT_TRUE(Create(request).ok());
  subject_->Reopen();
  const auto expect_kept = [&](const Ride& ride) {
    EXPECT_EQ(LaterFieldsOf(ride.message()), LaterFieldsOf(request.message()));
    EXPECT_THAT(ride.message().pickup(), EqualsProto(request.message().pickup()));
    EXPECT_THAT(ride.message().dropoff(), EqualsProto(request.message().dropoff()));
    EXPECT_EQ(LaterFieldsOf(ride.message().fare()), LaterFieldsOf(request.message().fare()));
  };
  const auto expect_stored = [&](std::int64_t sequence) {
    const Ride ride = *Find("ride-1");
    EXPECT_EQ(ride.sequence(), sequence);
    expect_kept(ride);
    EXPECT_EQ(LaterFieldsOf(ride.internals()), LaterFieldsOf(request.internals()));
    const RideEvent event = Log("ride-1", sequence - 1)->events.at(0);
    EXPECT_EQ(event.ride, WithoutInternals(ride)) << "sequence " << sequence;
  };
  expect_stored(1);

  AcceptedOffer assignment = Offer(request);
  assignment.epoch = 1;
  AddLaterFields("driver", &assignment.driver);
  AddLaterFields("vehicle", assignment.driver.mutable_vehicle());
  ASSERT_TRUE(Change("ride-1", [&](const Ride& ride) { return Assign(ride, assignment, {}, kT0); }).ok());
  expect_stored(2);
  EXPECT_THAT(*Find("ride-1")->driver(), EqualsProto(assignment.driver));

  // The driver's fields leave the ride with the driver; the former ride keeps them.
  ASSERT_TRUE(Take("ride-1", trip::Cancel{}).ok());
  expect_stored(3);
  const Ride former = DriverEvents("driver-1", 1).at(0).former.value();
  expect_kept(former);
  EXPECT_THAT(*former.driver(), EqualsProto(assignment.driver));
  ASSERT_TRUE(Confirm("ride-1", "driver-2", "offer-2").ok());
  expect_stored(4);
  EXPECT_THAT(*Find("ride-1")->driver(), EqualsProto(Driver("driver-2")));

  ASSERT_TRUE(
      Change("ride-1", [](const Ride& ride) { return CancelByRider(ride, CancelReason::kOther, "", kT0); }).ok());
  expect_stored(5);
}

TEST_P(RideStoreConformance, ARideInAStateOfALaterVersionIsLeftToOtherReplicas) {
  // The store counts 6 as live, but not 1 and 77.
  for (const int number : {6, 1, 77}) {
    const std::string suffix = "-" + std::to_string(number);
    const std::string ride_id = "later" + suffix, rider_id = "rider" + suffix, driver_id = "driver" + suffix;
    const Ride request = Requested(ride_id, rider_id);
    ASSERT_TRUE(Create(request).ok());
    ASSERT_TRUE(Confirm(ride_id, driver_id, "offer" + suffix).ok());
    // The change that a later version makes.
    ASSERT_TRUE(Change(ride_id, [&](const Ride& ride) -> absl::StatusOr<RideChange> {
                  RideChange change = *TakeStep(ride, Command(ride, trip::Seen{}, driver_id), rules_, kT0);
                  change.ride.set_state(static_cast<RideState>(number));
                  change.event->ride = change.ride;
                  return change;
                }).ok());
    const auto left = [&](const absl::Status& status) {
      EXPECT_TRUE(absl::IsUnavailable(status) && HasReason(status, Reason::kReplicaTooOld)) << number << ": " << status;
    };
    using Found = std::optional<Ride>;
    left(Await<Found>([&](auto done) { store().ById(ride_id, done); }).status());
    left(Await<Found>([&](auto done) { store().ByRequest(rider_id, "request-1", done); }).status());
    left(Await<Found>([&](auto done) { store().ByOffer(driver_id, "offer" + suffix, done); }).status());
    left(Await<RidePage>([&](auto done) { store().ListOfRider({rider_id, {}, "", 20}, done); }).status());
    left(Await<RidePage>([&](auto done) { store().ListOfDriver({driver_id, {}, "", 20}, done); }).status());
    left(Await<std::vector<RideEvent>>([&](auto done) { store().ReadDriverEvents(driver_id, 1, done); }).status());
    left(Log(ride_id, 0).status());
    left(CatchUp(driver_id, Cursor{ride_id, 2}).status());
    left(Create(request).status());
    left(CallOff(ride_id).status());
    if (number == 6) {
      left(Await<Found>([&](auto done) { store().ActiveOfRider(rider_id, done); }).status());
      left(CatchUp(driver_id).status());
      left(Create(Requested("ride-more", rider_id, "request-2")).status());
    }
    EXPECT_THAT(Sequences({ride_id}), ElementsAre(Pair(ride_id, 3))) << "nothing was changed";
    if (RideStore* const other = subject_->other(); other != nullptr) {
      const auto elsewhere = Await<std::vector<Ride>>([&](auto done) { other->KeptElsewhere({ride_id}, done); });
      ASSERT_TRUE(elsewhere.ok() && elsewhere->size() == 1) << elsewhere.status();
      EXPECT_EQ(elsewhere->front().sequence(), 3) << "the previous owner releases the ride";
    }
  }
  ASSERT_TRUE(Create(Requested("ride-plain", "rider-plain")).ok());
  EXPECT_THAT(Ids(Dispatchable()), ElementsAre("ride-plain")) << "other rides are still found";
}

TEST_P(RideStoreConformance, AReadSeesWhatWasReportedBeforeIt) {
  // The read is sent within the write's `done`, as publishers do.
  using Found = std::optional<Ride>;
  const absl::StatusOr<Found> found = Await<Found>([&](const Done<Found>& done) {
    store().Create(NewRide(Requested(), rules_, kT0), absl::InfiniteFuture(),
                   [&, done](absl::StatusOr<Created> created) {
                     EXPECT_TRUE(created.ok());
                     store().ById("ride-1", done);
                   });
  });
  EXPECT_TRUE(found.ok() && found->has_value());
}

}  // namespace
}  // namespace hail::rider
