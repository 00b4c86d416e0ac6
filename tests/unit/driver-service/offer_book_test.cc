// Offers and their confirmation, with sessions and rides but without the rest of the core.
#include "driver-service/domain/offer_book.h"

#include "tests/matchers.h"
#include "tests/unit/driver-service/dispatch_parts_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class OfferBookTest : public DispatchPartsTest {
 protected:
  OfferBookTest() { Online("d1", 7); }

  void Confirmed(absl::StatusOr<RideView> result) {
    const ConfirmCall call = out_.confirms.back();
    offers_.OnConfirmed(now_, call.offer_id, call.attempt, std::move(result));
  }
  void Tick(absl::Duration length) {
    Pass(length);
    offers_.Tick(now_);
  }
  RemoteOfferStatus LastReport() const { return std::get<RemoteOfferStatus>(out_.to_replica.back().second); }
};

TEST_F(OfferBookTest, DriverAndRideHaveTheLiveOfferUntilItSettles) {
  Dispatch("r1");
  MakeOffer("x", "d1", "r1");
  EXPECT_EQ(offers_.LiveOf("d1")->offer_id, "x");
  EXPECT_EQ(offers_.LiveOfRide("r1")->offer_id, "x");
  EXPECT_THAT(TakeMatches(), IsEmpty());
  Respond("d1", "x", false);
  EXPECT_EQ(offers_.LiveOf("d1"), nullptr);
  EXPECT_EQ(offers_.LiveOfRide("r1"), nullptr);
  EXPECT_THAT(TakeMatches(), IsEmpty()) << "the ride is due, and the driver excluded";
  Online("d2", 8);
  Pass(absl::Seconds(1));
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d2"));
  EXPECT_THAT(out_.records, SizeIs(1));
}

TEST_F(OfferBookTest, AnAcceptIsAnsweredOnlyWhenTheOutcomeIsCertain) {
  MakeOffer("x", "d1", "r1");
  Respond("d1", "x", true);
  Confirmed(absl::UnavailableError("lost"));
  Confirmed(FailedPrecondition(Reason::kStaleEpoch, "", {{"state", "CANCELED"}}));
  EXPECT_THAT(answers_, IsEmpty()) << "no attempt is under way";
  Tick(options_.confirm_retry_first);
  ASSERT_THAT(out_.confirms, SizeIs(2));
  EXPECT_EQ(out_.confirms[1].attempt, 2);
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kReserved);
  Tick(absl::Hours(1));
  EXPECT_EQ(offers_.LiveOf("d1")->status, OfferStatus::kConfirming);
  Confirmed(ViewOfRide("r1", 2, "x"));
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_TRUE(answers_[0].status.ok());
  EXPECT_EQ(answers_[0].state.status, DriverStatus::kOnTrip);
  EXPECT_TRUE(queue_.IsOver("r1", 1));
}

TEST_F(OfferBookTest, ARefusalOfTheDriverFreesTheRideOneOfTheRideEndsItsDispatch) {
  Dispatch("r1");
  MakeOffer("x", "d1", "r1");
  Respond("d1", "x", true);
  Confirmed(FailedPrecondition(Reason::kDriverBusy, ""));
  EXPECT_THAT(answers_.back().status, HasReason(Reason::kOfferRevoked));
  EXPECT_EQ(queue_.EpochOf("r1"), 1);
  EXPECT_FALSE(sessions_.Find("d1")->synced) << "the driver's rides are read anew";
  Online("d2", 8);
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d2"));
  MakeOffer("y", "d2", "r1");
  Respond("d2", "y", true);
  Confirmed(FailedPrecondition(Reason::kRideNotMatching, "", {{"state", "CANCELED"}}));
  EXPECT_EQ(answers_.back().offer.reason, RevokeReason::kRideCanceled);
  EXPECT_EQ(queue_.EpochOf("r1"), std::nullopt);
}

TEST_F(OfferBookTest, AConfirmationOutlivesTheSession) {
  MakeOffer("x", "d1", "r1");
  Respond("d1", "x", true);
  sessions_.Lose(now_, "d1", ++claims_, true);
  EXPECT_EQ(offers_.LiveOf("d1")->offer_id, "x");
  Online("d1", 8);
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kReserved);
  Confirmed(ViewOfRide("r1", 2, "x"));
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kOnTrip);
  EXPECT_THAT(answers_, SizeIs(1));
}

TEST_F(OfferBookTest, APendingOfferEndsWithTheSession) {
  MakeOffer("x", "d1", "r1");
  sessions_.Lose(now_, "d1", ++claims_, true);
  EXPECT_EQ(offers_.LiveOfRide("r1"), nullptr);
  EXPECT_EQ(out_.records.at(0).reason, RevokeReason::kSuperseded);
}

TEST_F(OfferBookTest, AnOfferThatWasNotShownPausesOneThatWasExcludes) {
  Dispatch("r1");
  MakeOffer("x", "d1", "r1");
  Tick(options_.receive_time);
  EXPECT_EQ(out_.records.at(0).outcome, OfferStatus::kRevoked);
  Pass(options_.unreceived_pause);
  Online("d1", 8);
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d1"));
  MakeOffer("y", "d1", "r1");
  offers_.OfferReceived(now_, "d1", "y");
  Tick(absl::Seconds(15));
  EXPECT_EQ(out_.records.at(1).outcome, OfferStatus::kExpired);
  Pass(options_.unreceived_pause);
  Online("d1", 9);
  EXPECT_THAT(TakeMatches(), IsEmpty());
}

TEST_F(OfferBookTest, ASettledOfferIsAnsweredFromMemoryThenLookedUp) {
  MakeOffer("x", "d1", "r1");
  offers_.RevokeOfRide(now_, "r1", 1, RevokeReason::kTaken);
  EXPECT_NE(offers_.LiveOf("d1"), nullptr) << "an offer of an epoch that is not lower";
  offers_.RevokeOfRide(now_, "r1", 2, RevokeReason::kTaken);
  Respond("d1", "x", true);
  EXPECT_EQ(answers_.at(0).offer.reason, RevokeReason::kTaken);
  Tick(options_.memory);
  Respond("d1", "x", true);
  ASSERT_THAT(out_.finds, SizeIs(1));
  offers_.OnFound(now_, out_.finds[0].find, NotFound(Reason::kRideNotFound, ""), std::nullopt);
  EXPECT_THAT(answers_.at(1).status, HasReason(Reason::kOfferNotFound));
}

TEST_F(OfferBookTest, TheAskerOfAnOfferGetsEachChangeAndTheLinkOfItsRideNone) {
  Dispatch("r1");
  out_.Take();
  MakeOffer("x", "d1", "r1", "there");
  EXPECT_EQ(LastReport().status, OfferStatus::kPending);
  Respond("d1", "x", false);
  EXPECT_EQ(LastReport().status, OfferStatus::kDeclined);
  EXPECT_EQ(out_.to_replica.back().first, "there");
  EXPECT_THAT(out_.Take(), ElementsAre("s7 offer o1 r1@1", "s7 o1 DECLINED"));
}

TEST_F(OfferBookTest, APendingOfferEndsIfItsAskerIsSilent) {
  options_.receive_time = absl::Minutes(1);
  MakeOffer("x", "d1", "r1", "there");
  Tick(options_.asker_silence - absl::Seconds(1));
  EXPECT_TRUE(offers_.AskedAgain(now_, "there", "x"));
  EXPECT_TRUE(offers_.AskedAgain(now_, "another", "x"));
  Tick(options_.asker_silence - absl::Seconds(1));
  EXPECT_NE(offers_.LiveOf("d1"), nullptr);
  Tick(absl::Seconds(1));
  EXPECT_EQ(offers_.LiveOf("d1"), nullptr);
  EXPECT_FALSE(offers_.AskedAgain(now_, "there", "y"));
}

TEST_F(OfferBookTest, OnlyItsAskerWithdrawsAnOfferAndOnlyAPendingOne) {
  MakeOffer("x", "d1", "r1", "there");
  offers_.WithdrawnByAsker(now_, "another", "x", RevokeReason::kSuperseded);
  EXPECT_NE(offers_.LiveOf("d1"), nullptr);
  Respond("d1", "x", true);
  offers_.WithdrawnByAsker(now_, "there", "x", RevokeReason::kSuperseded);
  EXPECT_NE(offers_.LiveOf("d1"), nullptr);
}

TEST_F(OfferBookTest, CountsWhatIsLive) {
  Online("d2", 8);
  MakeOffer("x", "d1", "r1");
  MakeOffer("y", "d2", "r2");
  Respond("d2", "y", true);
  DispatchCounts counts;
  offers_.Count(counts);
  EXPECT_EQ(counts.offers_pending, 1);
  EXPECT_EQ(counts.offers_confirming, 1);
}

}  // namespace
}  // namespace hail::driver
