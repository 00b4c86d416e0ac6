// Dispatches, which last as long as the link that started them.
#include "absl/time/time.h"
#include "tests/matchers.h"
#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LinkTest : public DispatchTest {};

TEST_F(LinkTest, AStartIsAcknowledgedEachTime) {
  Online("d1", 1, 300);
  Start("r1");
  Start("r1");
  // The start is acknowledged again, without a second offer.
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1", "s1 offer o1 r1@1", "l1 started r1@1"));
}

TEST_F(LinkTest, ARepeatedStartBringsItsExclusions) {
  Start("r1");
  Start("r1", 1, {"d1"});
  Take();
  Online("d1", 1, 300);
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(LinkTest, AHigherEpochSupersedes) {
  Online("d1", 1, 300);
  Start("r1");
  Take();
  Start("r1", 2);
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED", "l1 started r1@2", "s1 offer o2 r1@2"));
  Respond("d1", "o1", true);
  EXPECT_THAT(answers_.at("").status, HasReason(Reason::kOfferRevoked));
  EXPECT_EQ(DetailsOf(answers_.at("").status)->metadata.at("revoke_reason"), "SUPERSEDED");
}

TEST_F(LinkTest, ALowerEpochIsLeftAlone) {
  Start("r1", 3);
  Take();
  Start("r1", 2);
  core_->Stop(now_, 1, "r1", 2, StopReason::kTaken);
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(core_->Counts(now_).rides, 1);
}

TEST_F(LinkTest, DeclinesOutliveANewEpoch) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", false);
  Take();
  Start("r1", 2);
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@2"));
}

TEST_F(LinkTest, StopWithdrawsTheOfferWithItsReason) {
  const std::vector<std::pair<StopReason, std::string>> cases = {{StopReason::kTaken, "TAKEN"},
                                                                 {StopReason::kRideCanceled, "RIDE_CANCELED"},
                                                                 {StopReason::kSuperseded, "SUPERSEDED"}};
  Online("d1", 1, 300);
  int n = 0;
  for (const auto& [reason, revoke_reason] : cases) {
    const std::string ride = absl::StrCat("r", ++n);
    Start(ride);
    Take();
    core_->Stop(now_, 1, ride, 1, reason);
    EXPECT_THAT(Take(), ElementsAre(absl::StrCat("s1 o", n, " REVOKED ", revoke_reason)));
    Respond("d1", absl::StrCat("o", n), true, ride);
    EXPECT_EQ(DetailsOf(answers_.at(ride).status)->metadata.at("revoke_reason"), revoke_reason);
    EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  }
  EXPECT_THAT(out_.confirms, IsEmpty());
}

TEST_F(LinkTest, StopOfAnEarlierEpochToo) {
  Start("r1", 2);
  core_->Stop(now_, 1, "r1", 5, StopReason::kSuperseded);
  EXPECT_EQ(core_->Counts(now_).rides, 0);
}

TEST_F(LinkTest, ALateStartOfARideThatIsOverIsNotTakenOn) {
  Online("d1", 1, 300);
  Start("r1");
  core_->Stop(now_, 1, "r1", 1, StopReason::kTaken);
  Take();
  Start("r1");  // sent again before the stop, delivered after
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  EXPECT_EQ(core_->Counts(now_).rides, 0);
  Start("r1", 2);  // its driver gave it up: a new epoch is a new dispatch
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@2", "s1 offer o2 r1@2"));
}

TEST_F(LinkTest, ARideThatWasConfirmedIsNotTakenOnAgain) {
  Online("d1", 1, 300);
  Online("d2", 2, 400);
  Start("r1");
  Respond("d1", "o1", true);
  Confirmed(Committed());
  Take();
  Start("r1");
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  // The core forgets the ride after some minutes.
  Pass(absl::Minutes(10));
  Take();
  Move("d2", 400);
  Start("r1");
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1", "s2 offer o2 r1@1"));
}

TEST_F(LinkTest, AStartAfterASupersededStopIsTakenOn) {
  Start("r1");
  core_->Stop(now_, 1, "r1", 1, StopReason::kSuperseded);
  Start("r1");
  EXPECT_EQ(core_->Counts(now_).rides, 1);
}

TEST_F(LinkTest, TheEndOfTheLinkWithdrawsItsOffersAndRides) {
  Online("d1", 1, 300);
  core_->LinkUp(now_, 2);
  Start("r1");
  Start("r2", 1, {}, 2);
  Take();
  core_->LinkDown(now_, 1);
  // The driver is free at once, for the other link's ride.
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("s1 offer o2 r2@1"));
  EXPECT_EQ(core_->Counts(now_).rides, 1);
  Start("r1");  // from a link that is gone
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(LinkTest, ALinkThatTookARideOverKeepsIt) {
  Start("r1");
  core_->LinkUp(now_, 2);
  Start("r1", 2, {}, 2);
  core_->LinkDown(now_, 1);
  EXPECT_EQ(core_->Counts(now_).rides, 1);
  core_->LinkDown(now_, 2);
  EXPECT_EQ(core_->Counts(now_).rides, 0);
}

TEST_F(LinkTest, TheWorkingSetIsSentEvery10Seconds) {
  core_->LinkUp(now_, 2);
  Online("d1", 1, 300);
  Start("r1");
  Start("r2", 4);
  Start("r3", 1, {}, 2);
  Respond("d1", "o1", true);
  Take();
  Pass(absl::Seconds(10));
  EXPECT_THAT(Take(), ElementsAre("l1 working r1@1 r2@4", "l2 working r3@1"));
  Confirmed(Committed());
  core_->LinkDown(now_, 2);
  Take();
  Pass(absl::Seconds(10));
  EXPECT_THAT(Take(), ElementsAre("l1 working r2@4"));
}

TEST_F(LinkTest, NobodyIsAskedAfterTheDeadline) {
  Start("r1");
  Take();
  Pass(absl::Seconds(119.9));
  EXPECT_THAT(Take(), testing::Each(testing::StartsWith("l1 working")));
  Online("d1", 1, 300);
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Take(), ElementsAre("l1 working r1@1", "l1 exhausted r1@1"));
  Pass(absl::Seconds(5));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(core_->Counts(now_).rides, 0);
}

TEST_F(LinkTest, ExhaustedOnlyOnceTheLastOfferHasSettled) {
  Start("r1", 1, {}, 1, absl::Seconds(10));
  Pass(absl::Seconds(8));
  Online("d1", 1, 300);
  Pass(absl::Seconds(1));
  Received("d1", "o1");
  Take();
  // The deadline passes with the offer out.
  Pass(absl::Seconds(13));
  EXPECT_THAT(Take(), ElementsAre("l1 working r1@1", "l1 working r1@1"));
  Respond("d1", "o1", false);
  EXPECT_THAT(Take(), ElementsAre("l1 settled r1@1 d1 DECLINED", "s1 o1 DECLINED", "l1 exhausted r1@1"));
}

TEST_F(LinkTest, AnAcceptAfterTheDeadlineOfAnOfferMadeBeforeCounts) {
  Start("r1", 1, {}, 1, absl::Seconds(3));
  Pass(absl::Seconds(1));
  Online("d1", 1, 300);
  Pass(absl::Seconds(1));
  Received("d1", "o1");
  Pass(absl::Seconds(10));
  Respond("d1", "o1", true);
  Take();
  Pass(absl::Seconds(1));
  EXPECT_EQ(out_.confirms.size(), 1u);
  Confirmed(FailedPrecondition(Reason::kDriverBusy, "busy"));
  EXPECT_THAT(Take(), ElementsAre("subscribe d1", "s1 o1 REVOKED SUPERSEDED", "l1 exhausted r1@1"));
}

TEST_F(LinkTest, AStartWithNoTimeLeftIsExhausted) {
  Online("d1", 1, 300);
  Start("r1", 1, {}, 1, absl::ZeroDuration());
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1", "l1 exhausted r1@1"));
  // rider-service may start the ride again if it has not ended it yet.
  Start("r1", 1, {}, 1, -absl::Seconds(5));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1", "l1 exhausted r1@1"));
}

TEST_F(LinkTest, CountsSayWhatThereIs) {
  Online("d1", 1, 300);
  Online("d2", 2, 400);
  Online("d3", 3, 500);
  Start("r1");
  Start("r2");
  Start("r3", 1, {"d3"});
  Respond("d1", "o1", true);
  const DispatchCounts counts = core_->Counts(now_);
  EXPECT_EQ(counts.rides, 3);
  EXPECT_EQ(counts.offers_pending, 1);
  EXPECT_EQ(counts.offers_confirming, 1);
  EXPECT_EQ(counts.streams, 3);
  EXPECT_THAT(counts.drivers, ElementsAre(0, 1, 1, 1, 0));
}

TEST_F(LinkTest, CountsComeToTheSameInSteps) {
  Online("d1", 1, 300);
  Online("d2", 2, 400);
  Online("d3", 3, 500);
  Start("r1");
  DispatchTally tally;
  EXPECT_FALSE(core_->CountOn(now_, tally, 1));
  EXPECT_FALSE(core_->CountOn(now_, tally, 1));
  EXPECT_TRUE(core_->CountOn(now_, tally, 1));
  EXPECT_EQ(tally.counts.streams, 3);
  EXPECT_EQ(tally.counts.rides, 1);
  EXPECT_EQ(tally.counts.offers_pending, 1);
  EXPECT_THAT(tally.counts.drivers, ElementsAre(0, 2, 1, 0, 0));
}

}  // namespace
}  // namespace hail::driver
