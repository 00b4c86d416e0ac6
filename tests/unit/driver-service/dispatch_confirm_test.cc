// Confirmations: every accept is answered, with the assigned ride or with the reason for its loss, however the network
// behaves (promise 6 of README.md).
#include "absl/time/time.h"
#include "tests/matchers.h"
#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ConfirmTest : public DispatchTest {
 protected:
  // d1 was offered r1 as o1 and has accepted it.
  void Accepted() {
    Online("d1", 1, 300);
    Start("r1");
    Received("d1", "o1");
    Respond("d1", "o1", true, "first");
    Take();
  }
  static absl::Status Refusal(Reason reason, const std::string& state = "") {
    std::map<std::string, std::string> metadata;
    if (!state.empty()) metadata["state"] = state;
    return FailedPrecondition(reason, "no", metadata);
  }
};

TEST_F(ConfirmTest, AnAcceptedOfferIsConfirmedAndTheDriverTold) {
  Online("d1", 1, 300);
  Start("r1");
  Take();
  Respond("d1", "o1", true);
  EXPECT_THAT(Take(), ElementsAre("s1 o1 CONFIRMING", "confirm o1 r1@1 d1"));
  EXPECT_EQ(out_.confirms.back().driver.vehicle.plate, "7ABC123");
  EXPECT_EQ(out_.confirms.back().pickup_eta, out_.offers.back().pickup_eta);
  EXPECT_TRUE(answers_.empty());
  const DriverState waiting = core_->State(now_, "d1");
  EXPECT_EQ(waiting.status, DriverStatus::kReserved);
  EXPECT_EQ(waiting.offer->status, OfferStatus::kConfirming);

  Confirmed(Committed());
  EXPECT_THAT(Take(), ElementsAre("s1 o1 ACCEPTED"));
  EXPECT_TRUE(answers_.at("").status.ok());
  EXPECT_EQ(answers_.at("").offer.status, OfferStatus::kAccepted);
  EXPECT_EQ(answers_.at("").state.status, DriverStatus::kOnTrip);
  EXPECT_EQ(answers_.at("").state.ride->ride_id, "r1");
  EXPECT_FALSE(answers_.at("").state.offer.has_value());
  EXPECT_EQ(out_.trips.at("d1").second->ride_id, "r1");
  EXPECT_EQ(out_.records.back().outcome, OfferStatus::kAccepted);
}

TEST_F(ConfirmTest, ARepeatedAnswerWaitsForTheSameOutcome) {
  Accepted();
  Respond("d1", "o1", true, "again");
  Respond("d1", "o1", false, "decline, too late");
  EXPECT_EQ(out_.confirms.size(), 1u);
  EXPECT_TRUE(answers_.empty());
  Confirmed(Committed());
  for (const char* key : {"first", "again", "decline, too late"}) {
    EXPECT_EQ(answers_.at(key).offer.status, OfferStatus::kAccepted) << key;
  }
  Respond("d1", "o1", true, "afterwards");
  EXPECT_EQ(answers_.at("afterwards").offer.status, OfferStatus::kAccepted);
}

TEST_F(ConfirmTest, AnUnknownOutcomeIsTriedAgainUntilItIsCertain) {
  Accepted();
  std::vector<absl::Status> unknown = {absl::UnavailableError("gone"),
                                       absl::DeadlineExceededError("late"),
                                       absl::CancelledError("cut"),
                                       absl::InternalError("RST_STREAM"),
                                       absl::UnknownError("?"),
                                       Overloaded("full", absl::Seconds(1)),
                                       absl::FailedPreconditionError("said by a proxy, not by rider-service"),
                                       absl::NotFoundError("404 of a proxy"),
                                       absl::UnimplementedError("not up yet"),
                                       Unavailable(Reason::kStoreUnavailable, "disk")};
  for (const absl::Status& status : unknown) {
    const std::size_t before = out_.confirms.size();
    Confirmed(status);
    EXPECT_THAT(out_.confirms.size(), before) << "without a pause";
    Pass(absl::Seconds(2.1));
    ASSERT_EQ(out_.confirms.size(), before + 1) << status;
    EXPECT_EQ(out_.confirms.back().offer_id, out_.confirms.front().offer_id);
    EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  }
  EXPECT_TRUE(answers_.empty());
  Confirmed(Committed());
  EXPECT_TRUE(answers_.at("first").status.ok());
}

TEST_F(ConfirmTest, TheBackOffDoublesUpToItsLimit) {
  Accepted();
  std::vector<double> pauses;
  for (int i = 0; i < 8; ++i) {
    const std::size_t before = out_.confirms.size();
    Confirmed(Unknown());
    const absl::Time since = now_.wall;
    while (out_.confirms.size() == before) Pass(absl::Milliseconds(10));
    pauses.push_back(absl::ToDoubleMilliseconds(now_.wall - since));
  }
  double longest = 100;
  for (double pause : pauses) {
    EXPECT_GE(pause, longest / 2);
    EXPECT_LE(pause, longest + 10);
    longest = std::min(2000.0, longest * 2);
  }
}

TEST_F(ConfirmTest, NoTimeTurnsUnknownIntoLost) {
  Accepted();
  Confirmed(Unknown());
  for (int minute = 0; minute < 20; ++minute) {
    Pass(absl::Minutes(1));
    if (out_.confirms.back().attempt > 0) Confirmed(Unknown());
  }
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  // Nor does the ride go to anybody else.
  Online("d2", 2, 100);
  Pass(absl::Seconds(5));
  EXPECT_EQ(Status("d2"), DriverStatus::kAvailable);
}

TEST_F(ConfirmTest, AnAnswerToAnEarlierAttemptDoesNotCount) {
  Accepted();
  const ConfirmCall first = out_.confirms.back();
  Confirmed(Unknown());
  Pass(absl::Milliseconds(200));
  ASSERT_EQ(out_.confirms.back().attempt, 2);
  Confirmed(first, Refusal(Reason::kStaleEpoch));
  EXPECT_TRUE(answers_.empty());
}

TEST_F(ConfirmTest, ALostRideIsReportedWithItsReason) {
  struct Case {
    absl::Status refusal;
    std::string revoke_reason;
  };
  const std::vector<Case> cases = {
      {Refusal(Reason::kRideNotMatching, "ENROUTE_TO_PICKUP"), "TAKEN"},
      {Refusal(Reason::kRideNotMatching, "COMPLETED"), "TAKEN"},
      {Refusal(Reason::kRideNotMatching, "CANCELED"), "RIDE_CANCELED"},
      {Refusal(Reason::kRideNotMatching, "NO_DRIVERS_AVAILABLE"), "SUPERSEDED"},
      {Refusal(Reason::kStaleEpoch, "MATCHING"), "SUPERSEDED"},
      {Refusal(Reason::kStaleEpoch, "CANCELED"), "RIDE_CANCELED"},
      {Refusal(Reason::kStaleEpoch, "ENROUTE_TO_PICKUP"), "TAKEN"},
      {Refusal(Reason::kStaleEpoch), "SUPERSEDED"},
      {NotFound(Reason::kRideNotFound, "none"), "SUPERSEDED"},
  };
  Online("d1", 1, 300);
  int n = 0;
  for (const Case& c : cases) {
    const std::string ride = absl::StrCat("r", ++n);
    const std::string offer = absl::StrCat("o", n);
    Start(ride);
    Respond("d1", offer, true, ride);
    Take();
    Confirmed(c.refusal);
    EXPECT_THAT(Take(), ElementsAre(absl::StrCat("s1 ", offer, " REVOKED ", c.revoke_reason))) << c.refusal;
    EXPECT_THAT(answers_.at(ride).status, HasReason(Reason::kOfferRevoked));
    EXPECT_EQ(DetailsOf(answers_.at(ride).status)->metadata.at("revoke_reason"), c.revoke_reason);
    // The dispatch is over here, and the driver is free for the next ride.
    EXPECT_EQ(core_->Counts(now_).rides, 0);
    EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  }
}

TEST_F(ConfirmTest, AStaleEpochEndsTheDispatchOfThatEpochOnly) {
  Accepted();
  Start("r1", 2);
  Confirmed(Refusal(Reason::kStaleEpoch, "MATCHING"));
  // The driver is not excluded: the new dispatch offers the ride again.
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@2", "s1 o1 REVOKED SUPERSEDED", "s1 offer o2 r1@2"));
}

TEST_F(ConfirmTest, ARideBeingConfirmedIsOfferedToNobodyElse) {
  Accepted();
  Online("d2", 2, 100);
  // rider-service has not received the confirmation and starts a new dispatch meanwhile.
  Start("r1", 2);
  Pass(absl::Seconds(5));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@2"));
  Confirmed(Refusal(Reason::kStaleEpoch, "MATCHING"));
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED", "s2 offer o2 r1@2"));
}

TEST_F(ConfirmTest, ABusyDriverIsResyncedAndTheRideGoesOn) {
  Accepted();
  Online("d2", 2, 5000);
  Confirmed(Refusal(Reason::kDriverBusy));
  EXPECT_THAT(Take(), ElementsAre("subscribe d1", "s1 o1 REVOKED SUPERSEDED"));
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNotSynced);
  AnswerFeed("d1", Ref(MakeRide("r0", 4, 1, "other")));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  Take();
  Pass(absl::Seconds(5));
  EXPECT_THAT(Take(), ElementsAre("s2 offer o2 r1@1"));
}

TEST_F(ConfirmTest, AnExcludedDriverIsNotAskedAgain) {
  Accepted();
  Confirmed(Refusal(Reason::kDriverExcluded));
  AnswerFeed("d1");
  Take();
  Pass(absl::Seconds(5));
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(core_->Counts(now_).rides, 1);
}

TEST_F(ConfirmTest, AConfirmationThatIsRefusedAsInvalidIsNotRepeated) {
  Accepted();
  Confirmed(InvalidField("driver.vehicle", "no"));
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED"));
  Pass(absl::Seconds(5));
  EXPECT_EQ(out_.confirms.size(), 1u);
}

TEST_F(ConfirmTest, AReplayedConfirmationOfARideThatIsOverIsAcceptedWithoutARide) {
  Accepted();
  Confirmed(Unknown());
  Pass(absl::Milliseconds(200));
  // The ride was committed, and canceled since.
  Confirmed(MakeRide("r1", 3, 1, out_.confirms.back().offer_id, false));
  EXPECT_EQ(answers_.at("first").offer.status, OfferStatus::kAccepted);
  EXPECT_EQ(answers_.at("first").state.ride, nullptr);
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(ConfirmTest, StoppingTheDispatchDoesNotTouchAConfirmation) {
  Accepted();
  // This very offer took the ride; the reply is still under way.
  core_->Stop(now_, 1, "r1", 1, StopReason::kTaken);
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  Confirmed(Committed());
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
}

TEST_F(ConfirmTest, ALostLinkDoesNotTouchAConfirmation) {
  Accepted();
  core_->LinkDown(now_, 1);
  EXPECT_THAT(Take(), IsEmpty());
  Confirmed(Unknown());
  Pass(absl::Milliseconds(200));
  Confirmed(Committed());
  EXPECT_EQ(answers_.at("first").offer.status, OfferStatus::kAccepted);
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
}

// ---- Feed events before the reply

TEST_F(ConfirmTest, TheFeedsEventSettlesAnUnknownConfirmation) {
  Accepted();
  Confirmed(Unknown());
  Event("d1", MakeRide("r1", 2, 1, out_.Id("o1")));
  EXPECT_THAT(Take(), ElementsAre("s1 o1 ACCEPTED", "s1 event r1#2"));
  EXPECT_EQ(answers_.at("first").offer.status, OfferStatus::kAccepted);
  EXPECT_EQ(answers_.at("first").state.ride->ride_id, "r1");
  // The confirmation is not repeated any more.
  Pass(absl::Seconds(5));
  EXPECT_EQ(out_.confirms.size(), 1u);
}

TEST_F(ConfirmTest, AReplyAfterTheFeedChangesNothing) {
  Accepted();
  Event("d1", MakeRide("r1", 2, 1, out_.Id("o1")));
  Event("d1", MakeRide("r1", 3, 1, out_.Id("o1"), false), true);
  Confirmed(Committed());
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  EXPECT_EQ(core_->State(now_, "d1").ride, nullptr);
}

TEST_F(ConfirmTest, TheFeedsSnapshotSettlesAnUnknownConfirmation) {
  Accepted();
  Confirmed(Unknown());
  core_->OnFeedDown(now_);
  core_->OnFeedUp(now_);
  Take();
  AnswerFeed("d1", Ref(MakeRide("r1", 2, 1, out_.Id("o1"))));
  EXPECT_THAT(Take(), ElementsAre("s1 o1 ACCEPTED", "s1 snapshot ON_TRIP r1#2", "s1 caught_up 2"));
  EXPECT_EQ(answers_.at("first").state.ride->ride_id, "r1");
}

TEST_F(ConfirmTest, WhatWasMissedSettlesItToo) {
  Accepted();
  Confirmed(Unknown());
  core_->OnFeedDown(now_);
  core_->OnFeedUp(now_);
  AnswerFeed("d1", nullptr,
             {{Ref(MakeRide("r1", 2, 1, out_.Id("o1"))), nullptr}, {Ref(MakeRide("r1", 3, 1, "", false)), nullptr}});
  EXPECT_EQ(answers_.at("first").offer.status, OfferStatus::kAccepted);
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(ConfirmTest, ASnapshotWithoutARideIsNoRefusal) {
  Accepted();
  Confirmed(Unknown());
  core_->OnFeedDown(now_);
  core_->OnFeedUp(now_);
  AnswerFeed("d1");
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  Pass(absl::Milliseconds(200));
  // The commit may be later than the snapshot, so only rider-service's answer ends the confirmation.
  Confirmed(Committed());
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
}

TEST_F(ConfirmTest, AReplyThatTheFeedMayHaveOvertakenIsCheckedAgainstTheFeed) {
  Accepted();
  // The feed breaks and comes back while the reply is under way; the ride is assigned and canceled in between.
  core_->OnFeedDown(now_);
  core_->OnFeedUp(now_);
  AnswerFeed("d1");
  Take();
  Confirmed(Committed());
  EXPECT_THAT(Take(), ElementsAre("subscribe d1", "s1 o1 ACCEPTED"));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  AnswerFeed("d1");
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable) << "otherwise the driver would keep a dead ride for ever";
}

TEST_F(ConfirmTest, ASnapshotOlderThanTheReplyIsAskedForAgain) {
  Accepted();
  Confirmed(Committed());
  Take();
  // rider-service's feed started over, with a read from before the commit.
  AnswerFeed("d1");
  EXPECT_THAT(Take(), ElementsAre("subscribe d1"));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  AnswerFeed("d1", Ref(MakeRide("r1", 2, 1, out_.Id("o1"))));
  EXPECT_THAT(Take(), ElementsAre("s1 snapshot ON_TRIP r1#2", "s1 caught_up 2"));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
}

TEST_F(ConfirmTest, ASnapshotAfterTheFeedMentionedTheRideIsBelieved) {
  Accepted();
  Confirmed(Committed());
  Event("d1", MakeRide("r1", 2, 1, out_.Id("o1")));
  AnswerFeed("d1");
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(ConfirmTest, ASnapshotBehindTheReplyDoesNotTakeItBack) {
  Accepted();
  Confirmed(MakeRide("r1", 4, 1, out_.confirms.back().offer_id));
  AnswerFeed("d1", Ref(MakeRide("r1", 3, 1, out_.Id("o1"))));
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 4);
  // The app's snapshot includes event 4, which the feed has not sent yet. Event 4 is not sent again, event 5 is.
  EXPECT_THAT(Take(), ElementsAre("s1 o1 ACCEPTED", "s1 snapshot ON_TRIP r1#4", "s1 caught_up 4"));
  Event("d1", MakeRide("r1", 4, 1, out_.Id("o1")));
  EXPECT_THAT(Take(), IsEmpty());
  Event("d1", MakeRide("r1", 5, 1, out_.Id("o1")));
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#5"));
}

TEST_F(ConfirmTest, AReplyWhileTheFeedIsDownIsCheckedOnceItIsBack) {
  Accepted();
  core_->OnFeedDown(now_);
  Confirmed(Committed());
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  core_->OnFeedUp(now_);
  AnswerFeed("d1");
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(ConfirmTest, AnotherRideOfTheDriverDoesNotEndAConfirmation) {
  Accepted();
  Event("d1", MakeRide("r7", 2, 1, "elsewhere"));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  EXPECT_TRUE(answers_.empty());
  Confirmed(Refusal(Reason::kDriverBusy));
  EXPECT_THAT(answers_.at("first").status, HasReason(Reason::kOfferRevoked));
  EXPECT_EQ(core_->State(now_, "d1").ride->ride_id, "r7");
}

}  // namespace
}  // namespace hail::driver
