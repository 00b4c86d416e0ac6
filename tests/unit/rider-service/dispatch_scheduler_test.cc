#include "rider-service/domain/dispatch_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using StopReason = DispatchScheduler::StopReason;

const RideRules kRules;

class DispatchSchedulerTest : public ::testing::Test, public DispatchScheduler::Out {
 protected:
  DispatchSchedulerTest() {
    scheduler_.OnLease(now_, absl::InfiniteFuture());
    EXPECT_THAT(Take(), ElementsAre("read"));
  }
  void SendStart(const DispatchScheduler::Start& start) override {
    EXPECT_TRUE(Scheduler().link_up());
    EXPECT_GT(start.remaining, absl::ZeroDuration());
    EXPECT_EQ(start.offer_time, absl::Seconds(15));
    sent_.push_back("start " + start.ride->ride_id() + "@" + std::to_string(start.ride->epoch()));
    excluded_ = start.excluded_driver_ids;
    remaining_ = start.remaining;
  }
  void SendStop(const std::string& ride_id, std::int64_t epoch, StopReason reason) override {
    sent_.push_back("stop " + ride_id + "@" + std::to_string(epoch) + " " + std::to_string(static_cast<int>(reason)));
  }
  void RaiseEpoch(const std::string& ride_id, std::int64_t epoch) override { Command("raise ", ride_id, epoch); }
  void EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) override { Command("end ", ride_id, epoch); }
  void ExpireUnacknowledged(const std::string& ride_id, std::int64_t epoch) override {
    Command("unseen ", ride_id, epoch);
  }
  void ReadDispatchable() override { sent_.push_back("read"); }
  void Command(const std::string& what, const std::string& ride_id, std::int64_t epoch) {
    sent_.push_back(what + ride_id + "@" + std::to_string(epoch));
  }

  virtual const DispatchScheduler& Scheduler() const { return scheduler_; }

  // Time passes; domain time and wall time advance alike here.
  void Pass(absl::Duration time) {
    now_.domain += time;
    now_.wall += time;
  }
  void Tick(absl::Duration time) {
    Pass(time);
    scheduler_.OnTick(now_);
  }
  std::vector<std::string> Take() { return std::exchange(sent_, {}); }

  Ride Matching(const std::string& ride_id = "ride-1") { return NewRide(Requested(ride_id), kRules, now_.domain).ride; }
  Ride Assigned(const Ride& ride) { return Assign(ride, Offer(ride), kRules, now_.domain)->ride; }

  // A ride whose dispatch was started and acknowledged.
  Ride Working() {
    const Ride ride = Matching();
    scheduler_.OnLinkUp(now_);
    scheduler_.OnRide(now_, ride);
    scheduler_.OnStarted(now_, ride.ride_id(), ride.epoch());
    EXPECT_THAT(Take(), ElementsAre("start ride-1@1"));
    return ride;
  }

  Now now_{kT0, kT0};
  DispatchScheduler scheduler_{this, kRules};
  std::vector<std::string> sent_;
  std::vector<std::string> excluded_;
  absl::Duration remaining_;
};

TEST_F(DispatchSchedulerTest, ANewRideIsStartedAtOnceAndOnce) {
  const Ride ride = Working();
  scheduler_.OnRide(now_, ride);
  for (int i = 0; i < 30; ++i) Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(scheduler_.matching(), 1u);
}

TEST_F(DispatchSchedulerTest, AStartIsRepeatedEveryTwoSecondsUntilAcknowledged) {
  scheduler_.OnLinkUp(now_);
  scheduler_.OnRide(now_, Matching());
  Take();
  Tick(absl::Milliseconds(1900));
  EXPECT_THAT(Take(), IsEmpty());
  Tick(absl::Milliseconds(100));
  EXPECT_THAT(Take(), ElementsAre("start ride-1@1"));
  EXPECT_EQ(remaining_, absl::Seconds(118));
  Tick(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("start ride-1@1"));
  scheduler_.OnStarted(now_, "ride-1", 2);  // of another epoch
  Tick(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("start ride-1@1"));
  scheduler_.OnStarted(now_, "ride-1", 1);
  Tick(absl::Seconds(2));
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(DispatchSchedulerTest, ARideThatChangesSidesHasOneCommandAtATime) {
  const Ride ride = Working();
  scheduler_.OnLinkDown(now_);
  scheduler_.OnLinkUp(now_);
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@1"));
  // A confirmation assigns the ride before the raise. Its driver does not acknowledge the ride.
  const Ride assigned = Assigned(ride);
  scheduler_.OnRide(now_, assigned);
  Tick(kRules.seen_within + absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty()) << "the first command is not answered";
  // The ride is redispatched and passes its deadline. Still no second command is sent.
  const Ride redispatched = rider::ExpireUnacknowledged(assigned, assigned.epoch(), kRules, now_.domain).ride;
  scheduler_.OnRide(now_, redispatched);
  Tick(kRules.match_deadline + kRules.offer_time + kRules.unfulfilled_grace);
  EXPECT_THAT(Take(), IsEmpty());
  scheduler_.OnCommandDone(now_, "ride-1", redispatched);
  EXPECT_THAT(Take(), ElementsAre("end ride-1@2"));
  // An answer without a command changes nothing.
  scheduler_.OnCommandDone(now_, "ride-1", rider::EndUnfulfilled(redispatched, redispatched.epoch(), now_.domain).ride);
  EXPECT_EQ(scheduler_.matching(), 0u);
  scheduler_.OnCommandDone(now_, "ride-1", redispatched);
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(DispatchSchedulerTest, WithoutALinkRidesWaitForOne) {
  scheduler_.OnRide(now_, Matching());
  Tick(absl::Seconds(10));
  EXPECT_THAT(Take(), IsEmpty());
  scheduler_.OnLinkUp(now_);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@1")) << "no link had the ride before, so no new epoch";
  EXPECT_EQ(remaining_, absl::Seconds(110));
}

// --- Links that end ---

TEST_F(DispatchSchedulerTest, OnTheNextLinkRidesStartAtANewEpoch) {
  Ride ride = Working();
  scheduler_.OnLinkDown(now_);
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty());
  scheduler_.OnLinkUp(now_);
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@1")) << "not started before the epoch is stored";
  ride = rider::RaiseEpoch(ride, 1).ride;
  scheduler_.OnRide(now_, ride);
  scheduler_.OnCommandDone(now_, "ride-1", ride);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@2"));
}

TEST_F(DispatchSchedulerTest, ALinkThatIsReplacedWithoutHavingEndedIsTheSame) {
  Working();
  scheduler_.OnLinkUp(now_);
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@1"));
}

TEST_F(DispatchSchedulerTest, ALinkThatEndsWhileTheEpochIsRaised) {
  Ride ride = Working();
  scheduler_.OnLinkUp(now_);
  Take();
  scheduler_.OnLinkDown(now_);
  ride = rider::RaiseEpoch(ride, 1).ride;
  scheduler_.OnCommandDone(now_, "ride-1", ride);
  EXPECT_THAT(Take(), IsEmpty());
  scheduler_.OnLinkUp(now_);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@2")) << "epoch 2 was never started anywhere";
}

TEST_F(DispatchSchedulerTest, AFailedRaiseIsRepeatedNotTooSoon) {
  Ride ride = Working();
  scheduler_.OnLinkUp(now_);
  Take();
  scheduler_.OnCommandDone(now_, "ride-1", Unavailable(Reason::kStoreUnavailable, "down"));
  Tick(absl::Milliseconds(500));
  EXPECT_THAT(Take(), IsEmpty());
  Tick(absl::Milliseconds(500));
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@1"));
  // The first attempt raised the epoch after all; its answer was lost.
  ride = rider::RaiseEpoch(ride, 1).ride;
  scheduler_.OnCommandDone(now_, "ride-1", ride);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@2"));
}

TEST_F(DispatchSchedulerTest, ARideThatWasAssignedMeanwhileIsNotStartedAgain) {
  const Ride ride = Working();
  scheduler_.OnLinkUp(now_);
  Take();
  scheduler_.OnCommandDone(now_, "ride-1", Assigned(ride));  // the confirmation won
  Tick(absl::Seconds(3));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(scheduler_.matching(), 0u);
  EXPECT_EQ(scheduler_.unseen(), 1u);
}

TEST_F(DispatchSchedulerTest, MessagesOfAnEarlierLinkAreIgnored) {
  Working();
  scheduler_.OnLinkDown(now_);
  scheduler_.OnLinkUp(now_);
  Take();
  scheduler_.OnExhausted(now_, "ride-1", 1);
  scheduler_.OnStarted(now_, "ride-1", 1);
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty());
}

// --- After a restart ---

TEST_F(DispatchSchedulerTest, RidesFoundInTheStoreStartAtANewEpoch) {
  const Ride ride = Matching();
  scheduler_.OnDispatchable(now_, {ride});
  EXPECT_THAT(Take(), IsEmpty());
  scheduler_.OnLinkUp(now_);
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@1"));
  scheduler_.OnCommandDone(now_, "ride-1", rider::RaiseEpoch(ride, 1).ride);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@2"));
}

TEST_F(DispatchSchedulerTest, AnUnseenAssignmentFoundInTheStoreHasWhatIsLeftOfItsTime) {
  const Ride ride = Assigned(Matching());
  Pass(absl::Seconds(55));
  scheduler_.OnDispatchable(now_, {ride});
  Tick(absl::Milliseconds(4'999));
  EXPECT_THAT(Take(), IsEmpty());
  Tick(absl::Milliseconds(1));
  EXPECT_THAT(Take(), ElementsAre("unseen ride-1@1"));
}

TEST_F(DispatchSchedulerTest, AnUnseenAssignmentOfAnEarlierVersionEndsByTheTimeOfItsAssignment) {
  Ride ride = Assigned(Matching());
  ride.Edit()->clear_seen_deadline();
  Pass(absl::Seconds(90));
  scheduler_.OnDispatchable(now_, {ride});
  Tick(absl::ZeroDuration());
  EXPECT_THAT(Take(), ElementsAre("unseen ride-1@1"));
}

TEST_F(DispatchSchedulerTest, TheStoreRepairsALostUpdate) {
  const Ride ride = Working();
  // The driver gave up, and the update was lost.
  Ride gone = Assigned(ride);
  gone = TakeStep(gone, rider::Command(gone, trip::Cancel{}), kRules, now_.domain)->ride;
  scheduler_.OnDispatchable(now_, {gone});
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@2")) << "another process may have dispatched it since";
  scheduler_.OnCommandDone(now_, "ride-1", rider::RaiseEpoch(gone, 2).ride, /*elsewhere=*/false);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@3"));
  EXPECT_THAT(excluded_, ElementsAre("driver-1"));
}

TEST_F(DispatchSchedulerTest, AStoreReadThatIsOldByNowBringsNothingBack) {
  const Ride ride = Working();
  const Ride canceled = CancelByRider(ride, CancelReason::kOther, "", now_.domain)->ride;
  scheduler_.OnRide(now_, canceled);
  EXPECT_THAT(Take(), ElementsAre("stop ride-1@1 1"));
  scheduler_.OnDispatchable(now_, {ride});
  Tick(absl::Seconds(30));
  scheduler_.OnRide(now_, ride);
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(scheduler_.matching(), 0u);
}

// --- Ends ---

TEST_F(DispatchSchedulerTest, ACanceledRideIsStoppedWhereItWasStarted) {
  const Ride ride = Working();
  const Ride waiting = Matching("ride-2");
  scheduler_.OnLinkDown(now_);
  scheduler_.OnRide(now_, waiting);
  const auto cancel = [&](const Ride& r) { return CancelByRider(r, CancelReason::kOther, "", now_.domain)->ride; };
  scheduler_.OnRide(now_, cancel(ride));
  scheduler_.OnRide(now_, cancel(waiting));
  EXPECT_THAT(Take(), IsEmpty()) << "the link that had it is gone";
  EXPECT_EQ(scheduler_.matching(), 0u);
}

TEST_F(DispatchSchedulerTest, AnAssignedRideIsNotStopped) {
  const Ride ride = Working();
  scheduler_.OnRide(now_, Assigned(ride));
  EXPECT_THAT(Take(), IsEmpty()) << "the stop could overtake the confirmation's answer";
  EXPECT_EQ(scheduler_.unseen(), 1u);
}

TEST_F(DispatchSchedulerTest, ExhaustedEndsTheRide) {
  const Ride ride = Working();
  Tick(absl::Seconds(120));
  EXPECT_THAT(Take(), IsEmpty()) << "an offer may still settle";
  scheduler_.OnExhausted(now_, "ride-1", 1);
  EXPECT_THAT(Take(), ElementsAre("end ride-1@1"));
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty()) << "one command at a time";
  scheduler_.OnCommandDone(now_, "ride-1", rider::EndUnfulfilled(ride, 1, now_.domain).ride);
  EXPECT_EQ(scheduler_.matching(), 0u);
  Tick(absl::Seconds(30));
  EXPECT_THAT(Take(), ElementsAre()) << "driver-service ended its dispatch before";
}

TEST_F(DispatchSchedulerTest, ExhaustedBeforeTheDeadlineWaitsForIt) {
  Working();
  Tick(absl::Seconds(119));
  scheduler_.OnExhausted(now_, "ride-1", 1);
  EXPECT_THAT(Take(), IsEmpty()) << "the clocks of the services differ a little";
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("end ride-1@1"));
}

TEST_F(DispatchSchedulerTest, WithoutAWordTheRideEndsAtDeadlinePlusOfferPlusGrace) {
  const Ride ride = Working();
  scheduler_.OnLinkDown(now_);
  Tick(absl::Milliseconds(139'999));
  EXPECT_THAT(Take(), IsEmpty());
  Tick(absl::Milliseconds(1));
  EXPECT_THAT(Take(), ElementsAre("end ride-1@1"));
  scheduler_.OnCommandDone(now_, "ride-1", Unavailable(Reason::kStoreUnavailable, "down"));
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("end ride-1@1")) << "a failed command is repeated";
  // After an answer that changed nothing, the command is not repeated at once.
  scheduler_.OnCommandDone(now_, "ride-1", ride);
  Tick(absl::Milliseconds(10));
  EXPECT_THAT(Take(), IsEmpty());
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("end ride-1@1"));
}

TEST_F(DispatchSchedulerTest, NothingIsStartedAfterTheDeadline) {
  scheduler_.OnRide(now_, Matching());
  Pass(absl::Seconds(121));
  scheduler_.OnLinkUp(now_);
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(DispatchSchedulerTest, ARideNobodyKnowsIsForgotten) {
  Working();
  scheduler_.OnLinkUp(now_);
  Take();
  scheduler_.OnCommandDone(now_, "ride-1", NotFound(Reason::kRideNotFound, "no such ride"));
  EXPECT_EQ(scheduler_.matching(), 0u);
}

// --- Exclusions ---

TEST_F(DispatchSchedulerTest, DeclinesAreExcludedFromLaterStartsOfThisRide) {
  Ride ride = Working();
  scheduler_.OnSettled(now_, "ride-1", 1, "driver-7");
  scheduler_.OnSettled(now_, "ride-1", 1, "driver-7");
  scheduler_.OnSettled(now_, "ride-9", 1, "driver-8");  // unknown
  // Assigned, then its driver gave up.
  ride = Assigned(ride);
  scheduler_.OnRide(now_, ride);
  ride = TakeStep(ride, rider::Command(ride, trip::Cancel{}), kRules, now_.domain)->ride;
  scheduler_.OnRide(now_, ride);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@2"));
  EXPECT_THAT(excluded_, UnorderedElementsAre("driver-1", "driver-7"));

  scheduler_.OnRide(now_, Matching("ride-2"));
  EXPECT_THAT(excluded_, IsEmpty());
}

// --- Unseen ---

TEST_F(DispatchSchedulerTest, AnAssignmentNobodyAcknowledgesIsGivenUp) {
  Ride ride = Working();
  ride = Assigned(ride);
  scheduler_.OnRide(now_, ride);
  Tick(absl::Milliseconds(59'999));
  EXPECT_THAT(Take(), IsEmpty());
  Tick(absl::Milliseconds(1));
  EXPECT_THAT(Take(), ElementsAre("unseen ride-1@1"));
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty()) << "one command at a time";
  scheduler_.OnCommandDone(now_, "ride-1", Unavailable(Reason::kStoreUnavailable, "down"));
  Tick(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("unseen ride-1@1"));
  ride = rider::ExpireUnacknowledged(ride, 1, kRules, now_.domain).ride;
  scheduler_.OnRide(now_, ride);
  scheduler_.OnCommandDone(now_, "ride-1", ride);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@2"));
  EXPECT_EQ(scheduler_.unseen(), 0u);
}

TEST_F(DispatchSchedulerTest, AnAcknowledgedAssignmentIsLeftAlone) {
  Ride ride = Assigned(Working());
  scheduler_.OnRide(now_, ride);
  ride = TakeStep(ride, rider::Command(ride, trip::Seen{}), kRules, now_.domain)->ride;
  scheduler_.OnRide(now_, ride);
  Tick(absl::Hours(1));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(scheduler_.unseen(), 0u);
}

// --- Working sets ---

TEST_F(DispatchSchedulerTest, WhatIsMissingIsStartedAnew) {
  const Ride ride = Working();
  scheduler_.OnWorkingSet(now_, {});
  EXPECT_THAT(Take(), IsEmpty()) << "the set may be older than the start";
  Pass(absl::Seconds(6));
  scheduler_.OnWorkingSet(now_, {{"ride-1", 1}});
  EXPECT_THAT(Take(), IsEmpty());
  scheduler_.OnWorkingSet(now_, {});
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@1"));
  scheduler_.OnCommandDone(now_, "ride-1", rider::RaiseEpoch(ride, 1).ride);
  EXPECT_THAT(Take(), ElementsAre("start ride-1@2"));
}

TEST_F(DispatchSchedulerTest, AnOlderEpochInTheSetIsMissingToo) {
  Ride ride = Working();
  ride = rider::RaiseEpoch(ride, 1).ride;
  scheduler_.OnRide(now_, ride);
  scheduler_.OnStarted(now_, "ride-1", 2);
  Take();
  Pass(absl::Seconds(6));
  scheduler_.OnWorkingSet(now_, {{"ride-1", 1}});
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@2"));
}

TEST_F(DispatchSchedulerTest, WhatIsSurplusIsStopped) {
  const Ride ride = Working();
  scheduler_.OnRide(now_, Assigned(ride));
  scheduler_.OnWorkingSet(now_, {{"ride-1", 1}, {"ride-7", 3}});
  EXPECT_THAT(Take(), ElementsAre("stop ride-7@3 3")) << "ride-1 has only just left";
  Pass(absl::Seconds(6));
  scheduler_.OnWorkingSet(now_, {{"ride-1", 1}});
  EXPECT_THAT(Take(), ElementsAre("stop ride-1@1 2"));
  scheduler_.OnLinkDown(now_);
  scheduler_.OnWorkingSet(now_, {{"ride-1", 1}});
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(DispatchSchedulerTest, ADepartedRideIsForgottenAfterAWhile) {
  const Ride ride = Working();
  scheduler_.OnRide(now_, CancelByRider(ride, CancelReason::kOther, "", now_.domain)->ride);
  Take();
  Tick(absl::Seconds(61));
  scheduler_.OnWorkingSet(now_, {{"ride-1", 1}});
  EXPECT_THAT(Take(), ElementsAre("stop ride-1@1 3"));
}

// One of several processes that share the store.
class SharedSchedulerTest : public DispatchSchedulerTest {
 protected:
  SharedSchedulerTest() {
    shared_.OnLinkUp(now_);
    shared_.OnLease(now_, now_.wall + absl::Seconds(5));
    EXPECT_THAT(Take(), ElementsAre("read"));
    shared_.OnRide(now_, ride_);
    EXPECT_THAT(Take(), ElementsAre("start ride-1@1"));
    shared_.OnStarted(now_, "ride-1", 1);
  }
  void TickShared(absl::Duration time) {
    Pass(time);
    shared_.OnTick(now_);
  }

  const DispatchScheduler& Scheduler() const override { return shared_; }

  const Ride ride_ = Matching();
  DispatchScheduler shared_{this, kRules};
};

TEST_F(SharedSchedulerTest, ALeaseThatEndsLetsAllGo) {
  shared_.OnRide(now_, Assigned(Matching("ride-2")));
  TickShared(absl::Seconds(4));
  shared_.OnLease(now_, now_.wall + absl::Seconds(5));
  TickShared(absl::Milliseconds(4900));
  EXPECT_THAT(Take(), ElementsAre()) << "the lease was renewed";
  TickShared(absl::Milliseconds(100));
  EXPECT_THAT(Take(), ElementsAre("stop ride-1@1 3"));
  EXPECT_THAT(shared_.RideIds(), ElementsAre());
  shared_.OnRide(now_, Matching("ride-3"));
  shared_.OnDispatchable(now_, {ride_});
  EXPECT_THAT(shared_.RideIds(), ElementsAre()) << "without a lease it takes no rides";
  shared_.OnLease(now_, now_.wall - absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre()) << "the lease had ended before the answer came";

  // No other process took the rides over.
  shared_.OnLease(now_, now_.wall + absl::Seconds(5));
  EXPECT_THAT(Take(), ElementsAre("read"));
  shared_.OnDispatchable(now_, {ride_, Assigned(Matching("ride-2"))});
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@1"));
  EXPECT_EQ(shared_.unseen(), 1u);
}

TEST_F(SharedSchedulerTest, WhatAnotherAssignedIsThatOnesToWatch) {
  const Ride assigned = Assigned(ride_);
  shared_.OnElsewhere(now_, assigned);
  EXPECT_THAT(Take(), ElementsAre()) << "the process that confirmed it handles it";
  EXPECT_THAT(shared_.RideIds(), ElementsAre());
  shared_.OnElsewhere(now_, assigned);
  shared_.OnRide(now_, ride_);
  EXPECT_THAT(shared_.RideIds(), ElementsAre()) << "an older version of the ride";
}

TEST_F(SharedSchedulerTest, WhatAnotherEndedOrStartedAnewIsStopped) {
  shared_.OnElsewhere(now_, rider::CancelByRider(ride_, rider::CancelReason::kOther, "", now_.domain)->ride);
  EXPECT_THAT(Take(), ElementsAre("stop ride-1@1 1"));
  shared_.OnRide(now_, Matching("ride-2"));
  Take();
  shared_.OnElsewhere(now_, rider::RaiseEpoch(Matching("ride-2"), 1).ride);
  EXPECT_THAT(Take(), ElementsAre("stop ride-2@1 3"));
  EXPECT_THAT(shared_.RideIds(), ElementsAre());
}

TEST_F(SharedSchedulerTest, WhatAnotherStartedAnewBeforeItDiedBeginsAtAnEpochOfItsOwn) {
  // No update came, and that process is dead. The read finds the ride at an epoch that was already dispatched.
  shared_.OnDispatchable(now_, {rider::RaiseEpoch(ride_, 1).ride});
  EXPECT_THAT(Take(), ElementsAre("raise ride-1@2"));
}

TEST_F(SharedSchedulerTest, OldNewsOfAnotherChangeNothing) {
  shared_.OnElsewhere(now_, ride_);
  EXPECT_THAT(shared_.RideIds(), ElementsAre("ride-1")) << "the version known here";
  const Ride raised = rider::RaiseEpoch(ride_, 1).ride;
  shared_.OnRide(now_, rider::RaiseEpoch(raised, 2).ride);
  Take();
  shared_.OnElsewhere(now_, raised);
  EXPECT_THAT(shared_.RideIds(), ElementsAre("ride-1")) << "the ride came back since";
}

TEST_F(SharedSchedulerTest, WhatAnotherTookOverFirstIsNotStarted) {
  const Ride orphan = Matching("ride-2");
  shared_.OnDispatchable(now_, {orphan});
  EXPECT_THAT(Take(), ElementsAre("raise ride-2@1"));
  shared_.OnCommandDone(now_, "ride-2", rider::RaiseEpoch(orphan, 1).ride, /*elsewhere=*/true);
  EXPECT_THAT(Take(), ElementsAre());
  EXPECT_THAT(shared_.RideIds(), ElementsAre("ride-1"));
}

}  // namespace
}  // namespace hail::rider
