#include "rider-service/domain/ride.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/errors/error.h"
#include "rider-service/domain/cancellation_fee.h"
#include "rider-service/domain/transitions.h"
#include "rider-service/domain/view.h"
#include "tests/matchers.h"
#include "tests/unit/rider-service/shown.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using S = RideState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr RideRules kRules;

// --- Every command in every state ---

struct Outcome {
  // If set, the command leads to this state. Otherwise `refused` is the reason of the refusal; if both are unset, the
  // ride stays unchanged.
  std::optional<S> next;
  std::optional<Reason> refused;
};
Outcome To(S state) { return {state, std::nullopt}; }
Outcome Refused(Reason reason) { return {std::nullopt, reason}; }
Outcome Same() { return {}; }

struct Row {
  std::string name;
  std::function<absl::StatusOr<RideChange>(const Ride&, absl::Time)> command;
  // In the order of kAllStates: matching, to pickup, at pickup, to drop-off, completed, no drivers, canceled.
  std::vector<Outcome> outcomes;
};

Row Step(const std::string& name, TripAction step, int leg, std::vector<Outcome> outcomes) {
  return {name,
          [step, leg](const Ride& ride, absl::Time now) {
            DriverCommand command = Command(ride, step);
            command.leg = leg;
            return TakeStep(ride, command, kRules, now);
          },
          std::move(outcomes)};
}

std::vector<Row> AllRows() {
  const Outcome same = Same();
  const Outcome illegal = Refused(Reason::kIllegalTransition);
  const Outcome unknown = Refused(Reason::kRideNotFound);  // no driver, so also not this driver
  const Outcome ended = Refused(Reason::kRideEnded);
  const Outcome not_matching = Refused(Reason::kRideNotMatching);
  return {
      {"assign another driver",
       [](const Ride& ride, absl::Time now) { return Assign(ride, Offer(ride, "driver-2", "offer-2"), kRules, now); },
       {To(S::kEnrouteToPickup), not_matching, not_matching, not_matching, not_matching, not_matching, not_matching}},
      {"replay the committed offer",
       [](const Ride& ride, absl::Time now) { return Assign(ride, Offer(ride), kRules, now); },
       {To(S::kEnrouteToPickup), same, same, same, same, not_matching, not_matching}},
      Step("seen", trip::Seen{}, 0, {unknown, To(S::kEnrouteToPickup), same, same, same, unknown, unknown}),
      Step("arrive", trip::Arrive{}, 0, {unknown, To(S::kArrivedAtPickup), same, same, same, unknown, unknown}),
      Step("arrive at the drop-off", trip::Arrive{}, 1, {unknown, illegal, illegal, illegal, ended, unknown, unknown}),
      Step("start", trip::Start{}, 0, {unknown, illegal, To(S::kEnrouteToDropoff), same, same, unknown, unknown}),
      Step("start on the last leg", trip::Start{}, 1, {unknown, illegal, illegal, illegal, ended, unknown, unknown}),
      Step("complete", trip::Complete{}, 1, {unknown, illegal, illegal, To(S::kCompleted), same, unknown, unknown}),
      Step("complete the first leg", trip::Complete{}, 0, {unknown, illegal, illegal, same, same, unknown, unknown}),
      Step("complete a leg too far", trip::Complete{}, 2,
           {unknown, illegal, illegal, illegal, ended, unknown, unknown}),
      Step("wait at the pickup", trip::Wait{}, 0,
           {unknown, illegal, To(S::kArrivedAtPickup), same, same, unknown, unknown}),
      Step("wait on the last leg", trip::Wait{}, 1,
           {unknown, illegal, illegal, To(S::kEnrouteToDropoff), ended, unknown, unknown}),
      Step("driver cancels", trip::Cancel{}, 0,
           {unknown, To(S::kMatching), To(S::kCanceled), To(S::kCanceled), ended, unknown, unknown}),
      Step("no step", trip::None{}, 0, {unknown, illegal, illegal, illegal, ended, unknown, unknown}),
      {"rider cancels",
       [](const Ride& ride, absl::Time now) { return CancelByRider(ride, CancelReason::kOther, "n", now); },
       {To(S::kCanceled), To(S::kCanceled), To(S::kCanceled), To(S::kCanceled), ended, ended, same}},
      {"unseen",
       [](const Ride& ride, absl::Time now) -> absl::StatusOr<RideChange> {
         return ExpireUnacknowledged(ride, ride.epoch(), kRules, now + absl::Minutes(5));
       },
       {same, To(S::kMatching), same, same, same, same, same}},
      {"unfulfilled",
       [](const Ride& ride, absl::Time now) -> absl::StatusOr<RideChange> {
         return EndUnfulfilled(ride, ride.epoch(), now + absl::Minutes(5));
       },
       {To(S::kNoDriversAvailable), same, same, same, same, same, same}},
      {"operator completes",
       [](const Ride& ride, absl::Time now) { return Resolve(ride, Resolution::kComplete, "ops", now); },
       {illegal, illegal, illegal, To(S::kCompleted), same, ended, ended}},
      {"operator cancels",
       [](const Ride& ride, absl::Time now) { return Resolve(ride, Resolution::kCancel, "ops", now); },
       {To(S::kCanceled), To(S::kCanceled), To(S::kCanceled), To(S::kCanceled), ended, ended, same}},
  };
}

TEST(RideTransitions, EachCommandInEachState) {
  for (const Row& row : AllRows()) {
    ASSERT_EQ(row.outcomes.size(), std::size(kAllStates));
    for (std::size_t i = 0; i < row.outcomes.size(); ++i) {
      SCOPED_TRACE(row.name + " when " + StateName(kAllStates[i]));
      const Ride before = RideIn(kAllStates[i]);
      const absl::Time now = before.update_time() + absl::Seconds(10);
      const absl::StatusOr<RideChange> change = row.command(before, now);
      const Outcome& expected = row.outcomes[i];
      if (expected.refused) {
        EXPECT_TRUE(HasReason(change.status(), *expected.refused)) << change.status();
        continue;
      }
      ASSERT_TRUE(change.ok()) << change.status();
      EXPECT_EQ(change->changed, expected.next.has_value());
      if (!expected.next) {
        EXPECT_EQ(change->ride, before);
        EXPECT_FALSE(change->event);
        continue;
      }
      EXPECT_EQ(StateName(change->ride.state()), StateName(*expected.next));
      // Each transition makes one event, with the ride's next sequence, that holds the ride after the transition.
      ASSERT_TRUE(change->event);
      EXPECT_EQ(change->ride.sequence(), before.sequence() + 1);
      EXPECT_EQ(change->event->sequence(), change->ride.sequence());
      EXPECT_EQ(change->event->ride, change->ride);
      EXPECT_EQ(change->event->ride_id(), before.ride_id());
      EXPECT_GE(change->event->event_time(), before.update_time());
      EXPECT_EQ(change->ride.message().has_end_time(), IsFinal(change->ride.state()));
    }
  }
}

// Indexes and metrics use the sets of states, which must agree with the table of transitions.
TEST(RideTransitions, AStateIsFinalIfNothingLeadsFromItAndLiveOtherwise) {
  for (const StateRow& row : kStates) {
    const bool leads_on = std::any_of(kTransitions.begin(), kTransitions.end(),
                                      [&](const Transition& t) { return t.from.Has(row.state); });
    EXPECT_EQ(kLive.Has(row.state), leads_on) << row.name;
    EXPECT_EQ(kFinal.Has(row.state), !leads_on) << row.name;
    EXPECT_EQ(kWithDriver.Has(row.state), FindTransition(row.state, RideCommand::kSeen) != nullptr) << row.name;
  }
}

// An older replica must not change a ride in a state that only a newer replica understands.
TEST(RideTransitions, AStateOfALaterVersionIsInNoSetAndNothingLeadsFromIt) {
  for (const RideState later : {static_cast<RideState>(1), static_cast<RideState>(6), static_cast<RideState>(10)}) {
    EXPECT_FALSE(kLive.Has(later) || kWithDriver.Has(later) || kFinal.Has(later)) << static_cast<int>(later);
    for (const Transition& transition : kTransitions) {
      EXPECT_EQ(FindTransition(later, transition.command), nullptr) << static_cast<int>(later);
    }
  }
}

TEST(RideTransitions, EachStateIsReachedAndACommandLeadsToOneState) {
  for (const StateRow& row : kStates) {
    EXPECT_TRUE(std::any_of(kTransitions.begin(), kTransitions.end(), [&](const Transition& t) {
      return t.to == row.state;
    })) << row.name;
    for (const Transition& transition : kTransitions) {
      const auto same = [&](const Transition& t) { return t.command == transition.command && t.from.Has(row.state); };
      EXPECT_LE(std::count_if(kTransitions.begin(), kTransitions.end(), same), 1) << row.name;
    }
  }
}

TEST(RideTransitions, TheWholeWayHasGapFreeEvents) {
  RideChange change = NewRide(Requested(), kRules, kT0);
  std::vector<RideEventType> types = {change.event->type()};
  const auto apply = [&](absl::StatusOr<RideChange> next) {
    ASSERT_TRUE(next.ok()) << next.status();
    ASSERT_TRUE(next->event);
    EXPECT_EQ(next->event->sequence(), static_cast<std::int64_t>(types.size()) + 1);
    types.push_back(next->event->type());
    change = *std::move(next);
  };
  const absl::Time now = kT0 + absl::Seconds(1);
  apply(Assign(change.ride, Offer(change.ride), kRules, now));
  apply(TakeStep(change.ride, Command(change.ride, trip::Seen{}), kRules, now));
  apply(TakeStep(change.ride, Command(change.ride, trip::Arrive{}), kRules, now));
  apply(TakeStep(change.ride, Command(change.ride, trip::Start{}), kRules, now));
  apply(TakeStep(change.ride, Command(change.ride, trip::Complete{}), kRules, now));
  EXPECT_THAT(types, ElementsAre(RideEventType::kRequested, RideEventType::kAssigned, RideEventType::kAssignmentSeen,
                                 RideEventType::kArrivedAtPickup, RideEventType::kStarted, RideEventType::kCompleted));
  EXPECT_EQ(DecodeMoney(change.ride.message().fare().final()), change.ride.quoted_fare());
  EXPECT_TRUE(change.event->ended());
  EXPECT_EQ(change.event->driver_id, "driver-1");
}

TEST(Ride, NewRideStartsMatchingWithADeadline) {
  const RideChange change = NewRide(Requested(), kRules, kT0);
  EXPECT_EQ(change.ride.sequence(), 1);
  EXPECT_EQ(change.ride.epoch(), 1);
  EXPECT_EQ(change.ride.match_deadline(), kT0 + absl::Seconds(120));
  EXPECT_EQ(change.event->type(), RideEventType::kRequested);
  EXPECT_EQ(change.event->driver_id, "");
}

// --- Confirmation ---

TEST(Assign, ReplayIsAnsweredWithThePresentRideEvenIfCanceledSince) {
  Ride ride = RideIn(S::kEnrouteToPickup);
  ride = CancelByRider(ride, CancelReason::kChangedPlans, "", kT0 + absl::Seconds(5))->ride;
  const absl::StatusOr<RideChange> replay = Assign(ride, {1, Driver("driver-1"), "offer-1", {}}, kRules, kT0);
  ASSERT_TRUE(replay.ok());
  EXPECT_FALSE(replay->changed);
  EXPECT_EQ(replay->ride.state(), S::kCanceled);
}

TEST(Assign, TheSameOfferOfAnotherDriverIsNoReplay) {
  const Ride ride = RideIn(S::kEnrouteToPickup);
  EXPECT_TRUE(
      HasReason(Assign(ride, Offer(ride, "driver-2", "offer-1"), kRules, kT0).status(), Reason::kRideNotMatching));
}

TEST(Assign, AnotherEpochIsStaleAndSaysTheState) {
  const Ride ride = RaiseEpoch(RideIn(S::kMatching), 1).ride;
  for (const std::int64_t epoch : {1, 3}) {
    AcceptedOffer assignment = Offer(ride);
    assignment.epoch = epoch;
    const absl::Status status = Assign(ride, assignment, kRules, kT0).status();
    EXPECT_TRUE(HasReason(status, Reason::kStaleEpoch)) << status;
    EXPECT_EQ(DetailsOf(status)->metadata.at("state"), "MATCHING");
    EXPECT_EQ(DetailsOf(status)->metadata.at("epoch"), std::to_string(epoch));
    EXPECT_EQ(DetailsOf(status)->metadata.at("ride_epoch"), "2");
  }
}

TEST(Assign, AnEndedRideSaysHowItEndedWhateverTheEpoch) {
  Ride ride = RaiseEpoch(RideIn(S::kMatching), 1).ride;
  ride = CancelByRider(ride, CancelReason::kOther, "", kT0)->ride;
  AcceptedOffer late = Offer(ride);
  late.epoch = 1;
  const absl::Status status = Assign(ride, late, kRules, kT0).status();
  EXPECT_TRUE(HasReason(status, Reason::kRideNotMatching)) << status;
  EXPECT_EQ(DetailsOf(status)->metadata.at("state"), "CANCELED");
}

TEST(Assign, StoresDriverOfferAndEta) {
  const Ride matching = RideIn(S::kMatching);
  const Ride ride = Assign(matching, Offer(matching), kRules, kT0 + absl::Seconds(7))->ride;
  ASSERT_NE(ride.driver(), nullptr);
  EXPECT_THAT(*ride.driver(), EqualsProto(Driver("driver-1")));
  EXPECT_EQ(ride.offer_id(), "offer-1");
  EXPECT_EQ(DecodeDuration(ride.message().pickup_eta()), absl::Seconds(200));
  EXPECT_EQ(ride.assign_time(), kT0 + absl::Seconds(7));
  EXPECT_FALSE(ride.match_deadline());
  EXPECT_FALSE(ride.seen_time());
}

TEST(Assign, AfterTheDeadlineStillCounts) {
  // The offer was made before the deadline. Until the ride ends unfulfilled, it can still be assigned.
  const Ride ride = RideIn(S::kMatching);
  EXPECT_TRUE(Assign(ride, Offer(ride), kRules, *ride.match_deadline() + absl::Seconds(10)).ok());
}

// --- Driver's steps ---

TEST(TakeStep, AnotherDriversRideIsNotFoundEvenWithTheRightEpoch) {
  const Ride ride = RideIn(S::kEnrouteToPickup);
  for (const TripAction& step : AllTripActions()) {
    EXPECT_TRUE(
        HasReason(TakeStep(ride, Command(ride, step, "driver-2"), kRules, kT0).status(), Reason::kRideNotFound));
  }
}

TEST(TakeStep, AFormerDriverHearsThatTheAssignmentEnded) {
  const Ride before = RideIn(S::kEnrouteToPickup);
  const Ride after = TakeStep(before, Command(before, trip::Cancel{}), kRules, kT0 + absl::Seconds(9))->ride;
  const Ride taken = Assign(after, Offer(after, "driver-2", "offer-2"), kRules, kT0 + absl::Seconds(12))->ride;
  for (const Ride& ride : {after, taken}) {
    for (const TripAction& step : std::vector<TripAction>{trip::Arrive{}, trip::Cancel{}}) {
      EXPECT_TRUE(HasReason(TakeStep(ride, Command(before, step), kRules, kT0).status(), Reason::kAssignmentEnded));
    }
  }
}

TEST(TakeStep, EpochsOtherThanTheAssignmentsAreRefused) {
  Ride ride = RideIn(S::kMatching);
  ride = RaiseEpoch(ride, 1).ride;
  ride = Assign(ride, Offer(ride), kRules, kT0)->ride;
  DriverCommand command = Command(ride, trip::Arrive{});
  for (const auto& [epoch, reason] : {std::pair(1, Reason::kAssignmentEnded), {3, Reason::kIllegalTransition}}) {
    command.epoch = epoch;
    const absl::Status status = TakeStep(ride, command, kRules, kT0).status();
    EXPECT_TRUE(HasReason(status, reason)) << status;
    EXPECT_EQ(DetailsOf(status)->metadata.at("epoch"), std::to_string(epoch));
    EXPECT_EQ(DetailsOf(status)->metadata.at("ride_epoch"), "2");
    EXPECT_THAT(std::string(status.message()), testing::EndsWith(std::to_string(epoch) + ", the ride's is 2"));
  }
}

TEST(TakeStep, StepsOfACanceledRideAreOverUnlessTaken) {
  Ride ride = RideIn(S::kArrivedAtPickup);
  ride = CancelByRider(ride, CancelReason::kOther, "", kT0 + absl::Seconds(30))->ride;
  EXPECT_FALSE(TakeStep(ride, Command(ride, trip::Arrive{}), kRules, kT0)->changed);
  EXPECT_FALSE(TakeStep(ride, Command(ride, trip::Cancel{}), kRules, kT0)->changed);
  EXPECT_TRUE(HasReason(TakeStep(ride, Command(ride, trip::Start{}), kRules, kT0).status(), Reason::kAssignmentEnded));
}

TEST(TakeStep, SeenIsStoredOnceAndAnArrivalCountsAsSeen) {
  const Ride ride = RideIn(S::kEnrouteToPickup);
  const Ride seen = TakeStep(ride, Command(ride, trip::Seen{}), kRules, kT0 + absl::Seconds(3))->ride;
  EXPECT_EQ(seen.seen_time(), kT0 + absl::Seconds(3));
  EXPECT_EQ(seen.state(), S::kEnrouteToPickup);
  EXPECT_FALSE(TakeStep(seen, Command(seen, trip::Seen{}), kRules, kT0 + absl::Seconds(9))->changed);
  EXPECT_TRUE(RideIn(S::kArrivedAtPickup).seen_time());
}

TEST(TakeStep, AWaitIsAnEventForEachNewReason) {
  using namespace hail::type::v1;
  Ride ride = RideIn(S::kArrivedAtPickup);
  const absl::Time first = ride.update_time() + absl::Seconds(5);
  const RideChange change = *TakeStep(ride, Command(ride, trip::Wait{WAIT_REASON_RIDER_NOT_THERE}), kRules, first);
  EXPECT_EQ(change.event->type(), RideEventType::kWaiting);
  EXPECT_EQ(change.event->driver_id, "driver-1");
  EXPECT_FALSE(change.event->ended());
  EXPECT_EQ(change.event->ride.message().wait().reason(), WAIT_REASON_RIDER_NOT_THERE);
  EXPECT_EQ(DecodeTime(change.ride.message().wait().since()), first);
  Ride rest = change.ride;
  rest.Edit()->clear_wait();
  rest.Edit()->set_sequence(ride.sequence());
  *rest.Edit()->mutable_update_time() = ride.message().update_time();
  EXPECT_EQ(rest, ride) << "nothing else changes";

  ride = change.ride;
  const auto again =
      TakeStep(ride, Command(ride, trip::Wait{WAIT_REASON_RIDER_NOT_THERE}), kRules, first + kRules.seen_within);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(again->ride, ride);

  const absl::Time second = first + absl::Seconds(30);
  ride = TakeStep(ride, Command(ride, trip::Wait{WAIT_REASON_BOARDING}), kRules, second)->ride;
  EXPECT_EQ(ride.sequence(), change.ride.sequence() + 1);
  EXPECT_EQ(ride.message().wait().reason(), WAIT_REASON_BOARDING);
  EXPECT_EQ(DecodeTime(ride.message().wait().since()), second);
  // No reason is a reason of its own.
  EXPECT_TRUE(TakeStep(ride, Command(ride, trip::Wait{}), kRules, second)->changed);
}

TEST(TakeStep, AWaitWithoutAReasonIsRepeatedLikeAnyOther) {
  Ride ride = RideIn(S::kEnrouteToDropoff);
  ride = TakeStep(ride, Command(ride, trip::Wait{}), kRules, kT0 + absl::Minutes(1))->ride;
  EXPECT_TRUE(ride.message().has_wait());
  EXPECT_FALSE(TakeStep(ride, Command(ride, trip::Wait{}), kRules, kT0 + absl::Minutes(2))->changed);
}

TEST(TakeStep, AWaitEndsWithTheNextChangeOfState) {
  const trip::Wait wait{hail::type::v1::WAIT_REASON_BOARDING};
  Ride ride = RideIn(S::kArrivedAtPickup);
  const absl::Time now = ride.update_time();
  const DriverCommand at_pickup = Command(ride, wait);
  ride = TakeStep(ride, at_pickup, kRules, now)->ride;
  const Ride canceled = CancelByRider(ride, CancelReason::kOther, "", now)->ride;
  EXPECT_FALSE(canceled.message().has_wait());
  EXPECT_TRUE(HasReason(TakeStep(canceled, at_pickup, kRules, now).status(), Reason::kAssignmentEnded));

  ride = TakeStep(ride, Command(ride, trip::Start{}), kRules, now)->ride;
  EXPECT_FALSE(ride.message().has_wait());
  // The one at the pickup comes late: the rider is on board.
  EXPECT_FALSE(TakeStep(ride, at_pickup, kRules, now)->changed);
  // The same reason on the trip is another wait.
  ride = TakeStep(ride, Command(ride, wait), kRules, now)->ride;
  EXPECT_TRUE(ride.message().has_wait());
  ride = TakeStep(ride, Command(ride, trip::Complete{}), kRules, now)->ride;
  EXPECT_EQ(ride.state(), S::kCompleted);
  EXPECT_FALSE(ride.message().has_wait());
}

TEST(TakeStep, CancelBeforeArrivalGoesBackToMatching) {
  const Ride before = RideIn(S::kEnrouteToPickup);
  const absl::Time now = kT0 + absl::Seconds(50);
  const RideChange change = *TakeStep(before, Command(before, trip::Cancel{}), kRules, now);
  const Ride& ride = change.ride;
  EXPECT_EQ(ride.state(), S::kMatching);
  EXPECT_EQ(ride.epoch(), before.epoch() + 1);
  EXPECT_THAT(ride.excluded_driver_ids(), ElementsAre("driver-1"));
  EXPECT_EQ(ride.match_deadline(), now + kRules.match_deadline);
  EXPECT_EQ(ride.redispatch_count(), 1);
  EXPECT_FALSE(ride.driver() != nullptr || ride.assign_time() || ride.seen_time() || ride.message().has_pickup_eta() ||
               ride.cancellation());
  EXPECT_EQ(ride.offer_id(), "");
  EXPECT_EQ(change.event->type(), RideEventType::kRedispatched);
  EXPECT_EQ(change.event->reason(), CancelReason::kVehicleProblem);
  EXPECT_EQ(change.event->driver_id, "driver-1");
  EXPECT_TRUE(change.event->ended());
  // The same driver cannot get it again.
  EXPECT_TRUE(
      HasReason(Assign(ride, Offer(ride, "driver-1", "offer-2"), kRules, now).status(), Reason::kDriverExcluded));
}

TEST(TakeStep, CancelAfterArrivalCancelsTheRide) {
  for (const S state : {S::kArrivedAtPickup, S::kEnrouteToDropoff}) {
    const Ride before = RideIn(state);
    const RideChange change = *TakeStep(before, Command(before, trip::Cancel{}), kRules, kT0 + absl::Minutes(9));
    EXPECT_EQ(change.ride.cancellation()->actor, CancelActor::kDriver);
    EXPECT_EQ(change.ride.cancellation()->reason, CancelReason::kVehicleProblem);
    EXPECT_EQ(change.ride.cancellation()->note, "flat tyre");
    EXPECT_FALSE(change.ride.message().fare().has_cancellation_fee()) << "only riders pay";
    EXPECT_EQ(change.event->reason(), CancelReason::kVehicleProblem);
    EXPECT_EQ(change.ride.driver()->driver_id(), "driver-1");
  }
}

TEST(TakeStep, TheSixthDriverWhoCancelsEndsTheRide) {
  Ride ride = RideIn(S::kMatching);
  for (int i = 1; i <= 6; ++i) {
    const std::string driver_id = "driver-" + std::to_string(i);
    ride = Assign(ride, Offer(ride, driver_id, "offer-" + std::to_string(i)), kRules, kT0)->ride;
    ride = TakeStep(ride, Command(ride, trip::Cancel{}, driver_id), kRules, kT0)->ride;
    if (i < 6) {
      ASSERT_EQ(ride.state(), S::kMatching) << i;
      ASSERT_EQ(ride.epoch(), i + 1);
    }
  }
  EXPECT_EQ(ride.state(), S::kCanceled);
  EXPECT_EQ(ride.cancellation()->actor, CancelActor::kSystem);
  EXPECT_EQ(ride.cancellation()->reason, CancelReason::kRedispatchLimit);
  EXPECT_EQ(ride.driver()->driver_id(), "driver-6");
  EXPECT_EQ(ride.redispatch_count(), 5);
}

// --- Deadlines ---

TEST(ExpireUnacknowledged, OnlyAfterTheTimeAndOnlyThatAssignment) {
  const Ride ride = RideIn(S::kEnrouteToPickup);
  const absl::Time limit = *ride.assign_time() + kRules.seen_within;
  EXPECT_FALSE(ExpireUnacknowledged(ride, ride.epoch(), kRules, limit - absl::Milliseconds(1)).changed);
  EXPECT_FALSE(ExpireUnacknowledged(ride, ride.epoch() - 1, kRules, limit).changed);
  const RideChange change = ExpireUnacknowledged(ride, ride.epoch(), kRules, limit);
  ASSERT_TRUE(change.changed);
  EXPECT_EQ(change.event->reason(), CancelReason::kDriverUnreachable);
  EXPECT_THAT(change.ride.excluded_driver_ids(), ElementsAre("driver-1"));
  EXPECT_EQ(change.ride.match_deadline(), limit + kRules.match_deadline);

  const Ride seen = TakeStep(ride, Command(ride, trip::Seen{}), kRules, kT0)->ride;
  EXPECT_FALSE(ExpireUnacknowledged(seen, seen.epoch(), kRules, limit + absl::Hours(1)).changed);
}

TEST(ExpireUnacknowledged, TheInstantIsTheAssignmentsUntilItIsAcknowledged) {
  const Ride ride = RideIn(S::kEnrouteToPickup);
  const absl::Time limit = *ride.assign_time() + kRules.seen_within;
  EXPECT_EQ(ride.seen_deadline(), limit);
  // A restart with other rules does not change the deadline of an existing assignment.
  RideRules patient = kRules;
  patient.seen_within = absl::Hours(1);
  EXPECT_TRUE(ExpireUnacknowledged(ride, ride.epoch(), patient, limit).changed);
  EXPECT_FALSE(ExpireUnacknowledged(ride, ride.epoch(), kRules, limit).ride.seen_deadline());
  for (const TripAction& step : std::vector<TripAction>{trip::Seen{}, trip::Arrive{}, trip::Cancel{}}) {
    EXPECT_FALSE(TakeStep(ride, Command(ride, step), kRules, kT0)->ride.seen_deadline());
  }
  EXPECT_FALSE(CancelByRider(ride, CancelReason::kOther, "", kT0)->ride.seen_deadline());
  // An earlier version stores no deadline.
  Ride old = ride;
  old.Edit()->clear_seen_deadline();
  EXPECT_FALSE(ExpireUnacknowledged(old, old.epoch(), kRules, limit - absl::Milliseconds(1)).changed);
  EXPECT_TRUE(ExpireUnacknowledged(old, old.epoch(), kRules, limit).changed);
}

TEST(EndUnfulfilled, OnlyAfterTheDeadlineAndOnlyAtThatEpoch) {
  const Ride ride = RideIn(S::kMatching);
  EXPECT_FALSE(EndUnfulfilled(ride, 1, *ride.match_deadline() - absl::Milliseconds(1)).changed);
  EXPECT_FALSE(EndUnfulfilled(RaiseEpoch(ride, 1).ride, 1, *ride.match_deadline()).changed);
  const RideChange change = EndUnfulfilled(ride, 1, *ride.match_deadline());
  EXPECT_EQ(change.ride.state(), S::kNoDriversAvailable);
  EXPECT_EQ(change.event->type(), RideEventType::kUnfulfilled);
  EXPECT_FALSE(change.event->ended()) << "there was no driver";
}

TEST(RaiseEpoch, IsNoEventAndKeepsTheDeadline) {
  const Ride before = RideIn(S::kMatching);
  const RideChange change = RaiseEpoch(before, 1);
  EXPECT_TRUE(change.changed);
  EXPECT_FALSE(change.event);
  EXPECT_EQ(change.ride.epoch(), 2);
  EXPECT_EQ(change.ride.sequence(), before.sequence());
  EXPECT_EQ(change.ride.match_deadline(), before.match_deadline());
  // A repeated raise changes nothing.
  EXPECT_FALSE(RaiseEpoch(change.ride, 1).changed);
  EXPECT_FALSE(RaiseEpoch(RideIn(S::kEnrouteToPickup), 1).changed);
}

TEST(Ride, TimesDoNotRunBackwardsWhenTheClockDoes) {
  const Ride ride = RideIn(S::kEnrouteToPickup);
  const RideChange change = *TakeStep(ride, Command(ride, trip::Arrive{}), kRules, kT0 - absl::Hours(1));
  EXPECT_EQ(change.ride.arrive_time(), ride.update_time());
  EXPECT_EQ(change.event->event_time(), ride.update_time());
}

TEST(Resolve, SaysThatAnOperatorDidIt) {
  const RideChange change = *Resolve(RideIn(S::kArrivedAtPickup), Resolution::kCancel, "ann: stuck", kT0);
  EXPECT_EQ(change.ride.cancellation()->actor, CancelActor::kSystem);
  EXPECT_EQ(change.ride.cancellation()->reason, CancelReason::kOperator);
  EXPECT_EQ(change.ride.cancellation()->note, "ann: stuck");
}

// --- Fees ---

TEST(CancellationFee, FollowsTheTerms) {
  const Ride matching = RideIn(S::kMatching);
  EXPECT_FALSE(CancellationFee(matching, kT0 + absl::Hours(1)));

  for (const S state : {S::kEnrouteToPickup, S::kArrivedAtPickup}) {
    const Ride ride = RideIn(state);
    const absl::Time free_until = *ride.assign_time() + absl::Seconds(120);
    EXPECT_FALSE(CancellationFee(ride, free_until));
    EXPECT_EQ(CancellationFee(ride, free_until + absl::Seconds(1)), (Money{"USD", 5'000'000}));
    const Ride canceled = CancelByRider(ride, CancelReason::kOther, "", free_until + absl::Seconds(1))->ride;
    EXPECT_EQ(DecodeMoney(canceled.message().fare().cancellation_fee()), (Money{"USD", 5'000'000}));
  }
  const Ride on_board = RideIn(S::kEnrouteToDropoff);
  EXPECT_EQ(CancellationFee(on_board, kT0), on_board.quoted_fare());
  const Ride left = CancelByRider(on_board, CancelReason::kOther, "", kT0)->ride;
  EXPECT_EQ(DecodeMoney(left.message().fare().cancellation_fee()), on_board.quoted_fare());

  Ride no_fee = RideIn(S::kEnrouteToPickup);
  no_fee.EditInternals()->mutable_cancellation_fee()->set_micros(0);
  EXPECT_FALSE(CancellationFee(no_fee, kT0 + absl::Hours(1)));
}

TEST(CancelByRider, TheEventCarriesTheFeeToo) {
  const Ride ride = RideIn(S::kArrivedAtPickup);
  const RideChange change = *CancelByRider(ride, CancelReason::kOther, "", kT0 + absl::Hours(1));
  ASSERT_TRUE(change.ride.message().fare().has_cancellation_fee());
  EXPECT_THAT(change.event->ride.message().fare().cancellation_fee(),
              EqualsProto(change.ride.message().fare().cancellation_fee()));
}

// --- Views ---

TEST(Views, TheDriverIsNotToldWhoseRideItIs) {
  const Ride view = RideForDriver(RideIn(S::kEnrouteToPickup));
  const hail::type::v1::Ride shown = Shown(view);
  EXPECT_EQ(shown.rider_id() + shown.request_id() + shown.quote_id() + view.request_fingerprint(), "");
  EXPECT_EQ(shown.labels().size(), 0u);
  EXPECT_EQ(shown.offer_id(), "offer-1");
}

TEST(Views, TheRiderIsNotToldTheOffer) {
  Ride ride = RideIn(S::kEnrouteToPickup);
  ride.EditInternals()->add_excluded_driver_ids("driver-9");
  const Ride view = RideForRider(ride);
  EXPECT_EQ(Shown(view).offer_id() + view.request_fingerprint(), "");
  EXPECT_THAT(view.excluded_driver_ids(), IsEmpty());
  EXPECT_EQ(Shown(view).rider_id(), "rider-1");
  EXPECT_EQ(Shown(view).request_id(), "request-1");
}

TEST(Views, AFormerDriverSeesNothingOfTheRidesLaterLife) {
  const Ride before = RideIn(S::kEnrouteToPickup);
  const RideEvent event = *TakeStep(before, Command(before, trip::Cancel{}), kRules, kT0 + absl::Seconds(9))->event;
  const RideEvent view = EventForDriver(event);
  EXPECT_EQ(view.ride.epoch(), before.epoch());
  EXPECT_EQ(view.ride.state(), S::kEnrouteToPickup);
  EXPECT_EQ(view.ride.driver()->driver_id(), "driver-1");
  EXPECT_EQ(view.ride.sequence(), event.sequence());
  EXPECT_FALSE(view.ride.match_deadline());
  EXPECT_EQ(Shown(view).ride().rider_id(), "");
  EXPECT_TRUE(Shown(view).ride().assignment_ended());
  EXPECT_TRUE(Shown(view).ended());
  // The rider sees the present ride.
  EXPECT_FALSE(Shown(EventForRider(event)).ride().assignment_ended());
  EXPECT_FALSE(Shown(EventForRider(event)).ended());
  EXPECT_EQ(EventForRider(event).ride.epoch(), before.epoch() + 1);
  EXPECT_FALSE(EventForRider(event).former);
}

TEST(Views, EachSideReadsItsOwnWordsOnly) {
  const Ride ride = RideIn(S::kArrivedAtPickup);
  const absl::Time now = kT0 + absl::Seconds(9);
  const DriverCommand by_driver = Command(ride, trip::Cancel{CancelReason::kSafety, "flat tyre"});
  struct Case {
    std::string who;
    RideChange change;
    bool rider_reads, driver_reads;
  };
  const Case cases[] = {
      {"rider", *CancelByRider(ride, CancelReason::kSafety, "frightened", now), true, false},
      {"driver", *TakeStep(ride, by_driver, kRules, now), false, true},
  };
  for (const Case& c : cases) {
    const RideEvent& event = *c.change.event;
    const auto check = [&](const RideEvent& view, bool reads) {
      const CancelReason reason = reads ? CancelReason::kSafety : CancelReason::kUnspecified;
      EXPECT_EQ(view.reason(), reason) << c.who;
      EXPECT_EQ(view.ride.cancellation()->reason, reason) << c.who;
      EXPECT_EQ(view.ride.cancellation()->note, reads ? event.ride.cancellation()->note : "") << c.who;
      EXPECT_EQ(view.ride.cancellation()->actor, event.ride.cancellation()->actor) << c.who;
    };
    ASSERT_NE(event.ride.cancellation()->note, "");
    check(EventForRider(event), c.rider_reads);
    check(EventForDriver(event), c.driver_reads);
    EXPECT_EQ(RideForRider(c.change.ride), EventForRider(event).ride);
    EXPECT_EQ(RideForDriver(c.change.ride), EventForDriver(event).ride);
    EXPECT_EQ(RideForOperator(c.change.ride).cancellation(), c.change.ride.cancellation());
  }
  // Both sides read reasons that are not secret.
  const RideEvent late = *CancelByRider(ride, CancelReason::kWaitTooLong, "late", now)->event;
  EXPECT_EQ(EventForDriver(late).reason(), CancelReason::kWaitTooLong);
  EXPECT_EQ(EventForDriver(late).ride.cancellation()->reason, CancelReason::kWaitTooLong);
  EXPECT_EQ(EventForDriver(late).ride.cancellation()->note, "");
}

TEST(Views, NobodyButOperatorsReadsWhatAnOperatorWrote) {
  const RideChange change =
      *Resolve(RideIn(S::kArrivedAtPickup), Resolution::kCancel, "ann: both complain", kT0 + absl::Seconds(9));
  for (const RideEvent& view : {EventForRider(*change.event), EventForDriver(*change.event)}) {
    EXPECT_EQ(view.ride.cancellation()->note, "");
    EXPECT_EQ(view.ride.cancellation()->reason, CancelReason::kOperator);
    EXPECT_EQ(view.reason(), CancelReason::kOperator);
  }
  const Ride view = RideForOperator(change.ride);
  EXPECT_EQ(view.cancellation()->note, "ann: both complain");
  EXPECT_EQ(view.request_fingerprint(), "");
}

TEST(Views, WhyADriverGaveUpIsTheDriversToRead) {
  const Ride ride = RideIn(S::kEnrouteToPickup);
  const DriverCommand command = Command(ride, trip::Cancel{CancelReason::kSafety, "flat tyre"});
  const RideEvent unsafe = *TakeStep(ride, command, kRules, kT0 + absl::Seconds(9))->event;
  EXPECT_EQ(EventForRider(unsafe).reason(), CancelReason::kUnspecified);
  EXPECT_EQ(EventForDriver(unsafe).reason(), CancelReason::kSafety);
  // A reason of a later version may be secret as well.
  RideEvent later = unsafe;
  later.set_reason(static_cast<CancelReason>(77));
  EXPECT_EQ(EventForRider(later).reason(), CancelReason::kUnspecified);
  EXPECT_EQ(EventForDriver(later).reason(), later.reason());
  const RideEvent unseen = *ExpireUnacknowledged(ride, ride.epoch(), kRules, kT0 + absl::Hours(1)).event;
  EXPECT_EQ(EventForRider(unseen).reason(), CancelReason::kDriverUnreachable);
  EXPECT_EQ(EventForDriver(unseen).reason(), CancelReason::kDriverUnreachable);
}

}  // namespace
}  // namespace hail::rider
