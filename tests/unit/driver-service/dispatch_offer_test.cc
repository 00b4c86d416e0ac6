// Offers: who gets one, how it is answered, how it ends (promises 6 and 7 of README.md).
#include "absl/time/time.h"
#include "tests/matchers.h"
#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OfferTest : public DispatchTest {};

TEST_F(OfferTest, TheNearestDriverIsOfferedTheRideAtOnce) {
  Online("far", 2, 900);
  Online("near", 1, 300);
  Start("r1");
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1", "s1 offer o1 r1@1"));
  const OfferView& offer = out_.offers.back();
  EXPECT_EQ(offer.remaining, absl::Seconds(15));
  EXPECT_NEAR(offer.pickup_distance_m, 360, 1);
  EXPECT_GT(offer.pickup_eta, absl::Seconds(40));
  EXPECT_EQ(Status("near"), DriverStatus::kOffered);
  EXPECT_EQ(Status("far"), DriverStatus::kAvailable);
}

TEST_F(OfferTest, ADriverHasOneLiveOfferAndARideToo) {
  Online("d1", 1, 300);
  Start("r1");
  Start("r2");
  Online("d2", 2, 400);
  Received("d1", "o1");
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("s2 offer o2 r2@1"));
  // Nobody is left for a third, and none of the two gets a second offer.
  Received("d2", "o2");
  Start("r3");
  Pass(absl::Seconds(5));
  EXPECT_THAT(Take(), ElementsAre("l1 started r3@1"));
}

TEST_F(OfferTest, OnlyDriversWhoFitAreAsked) {
  Driver van = MakeDriver("van");
  van.product_ids = {"xl"};
  Driver elsewhere = MakeDriver("elsewhere");
  elsewhere.region_id = "nyc";
  Driver small = MakeDriver("small");
  small.vehicle.seats = 0;
  for (const Driver& driver : {van, elsewhere, small}) {
    core_->OpenStream(now_, driver, Availability::kOnline, Claim(), 5, std::nullopt);
    AnswerFeed(driver.driver_id);
    Move(driver.driver_id, 100);
  }
  core_->OpenStream(now_, MakeDriver("offline"), Availability::kOffline, Claim(), 6, std::nullopt);
  AnswerFeed("offline");
  Move("offline", 100);
  core_->OpenStream(now_, MakeDriver("unsynced"), Availability::kOnline, Claim(), 7, std::nullopt);
  Move("unsynced", 100);
  core_->OpenStream(now_, MakeDriver("nowhere"), Availability::kOnline, Claim(), 8, std::nullopt);
  AnswerFeed("nowhere");
  Online("excluded", 9, 100);
  out_.Take();
  Start("r1", 1, {"excluded"});
  Pass(absl::Seconds(5));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  Online("fits", 10, 1400);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("s10 offer o1 r1@1"));
}

TEST_F(OfferTest, ACarLeavesTheMapWithTheRideAndNotWithAnOffer) {
  Online("d1", 1, 300);
  Start("r1");
  EXPECT_EQ(Status("d1"), DriverStatus::kOffered);
  EXPECT_EQ(index_.on_map_count(), 1u);
  Respond("d1", "o1", true);
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  EXPECT_EQ(index_.on_map_count(), 1u);
  Confirmed(Committed());
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  EXPECT_EQ(index_.on_map_count(), 0u);
}

TEST_F(OfferTest, APositionOver30SecondsOldBringsNoOffers) {
  Online("d1", 1, 300);
  Pass(absl::Seconds(30));
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  Pass(absl::Milliseconds(100));
  EXPECT_EQ(Status("d1"), DriverStatus::kOffline);
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kStalePosition);
  Take();
  Start("r1");
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  Move("d1", 300);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("s1 offer o1 r1@1"));
}

TEST_F(OfferTest, TheRadiusWidens) {
  Online("d1", 1, 5000);  // beyond 1,500 and 3,000 m, within 6,000: after two steps of 2 s
  Start("r1");
  Pass(absl::Milliseconds(3900));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  Pass(absl::Milliseconds(200));
  EXPECT_THAT(Take(), ElementsAre("s1 offer o1 r1@1"));
}

TEST_F(OfferTest, NobodyBeyondTheLargestRadiusIsAsked) {
  Online("d1", 1, 12100);
  Start("r1");
  Pass(absl::Seconds(25));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1", "l1 working r1@1", "l1 working r1@1"));
}

TEST_F(OfferTest, WhoWaitsLongestChoosesFirst) {
  Start("r2");
  Pass(absl::Milliseconds(500));
  Start("r1");
  Pass(absl::Milliseconds(100));
  Take();
  Online("d1", 1, 300);
  Online("d2", 2, 500);
  // Both become due within one step, r1's rounded up: the order is by waiting time, not by id.
  now_.wall += absl::Seconds(3);
  now_.domain += absl::Seconds(3);
  core_->Tick(now_);
  EXPECT_THAT(Take(), ElementsAre("s1 offer o1 r2@1", "s2 offer o2 r1@1"));
}

TEST_F(OfferTest, RidesThatWaitTogetherAreMatchedTogether) {
  Start("r1");
  Start("r2", 1, {"b"});
  Online("a", 1, 100);
  Online("b", 2, 900);
  Pass(absl::Seconds(1));
  // Driver a is nearer to r1, but r2 can have only a.
  EXPECT_THAT(Take(), ElementsAre("s2 offer o1 r1@1", "s1 offer o2 r2@1"));
}

TEST_F(OfferTest, WhoFoundNobodyLooksAgainTogetherWithTheOthers) {
  // r1 came first, and a is nearer to it. r2 came between two rematches and can have only a.
  Start("r1");
  Pass(absl::Milliseconds(300));
  Start("r2", 1, {"b"});
  Take();
  Online("a", 1, 100);
  Online("b", 2, 900);
  Pass(absl::Milliseconds(600));
  EXPECT_THAT(Take(), IsEmpty());
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Take(), ElementsAre("s2 offer o1 r1@1", "s1 offer o2 r2@1"));
}

class SmallBatchTest : public DispatchTest {
 protected:
  SmallBatchTest() : DispatchTest({.most_matched_at_once = 3}) {}
};

TEST_F(SmallBatchTest, OfManyThatWaitThoseDueLongestAreMatchedFirst) {
  for (const char* ride_id : {"r1", "r2", "r3", "r4"}) Start(ride_id);
  for (int i = 1; i <= 4; ++i) Online("d" + std::to_string(i), i, 100 * i);
  Take();
  now_.wall += absl::Seconds(1);
  now_.domain += absl::Seconds(1);
  core_->Tick(now_);
  EXPECT_EQ(Take().size(), 3u);
  core_->Tick(now_);
  EXPECT_THAT(Take(), ElementsAre("s4 offer o4 r4@1"));
}

TEST_F(OfferTest, TimeWaitedWeighsAgainstPickupTime) {
  auto start_at = [&](const std::string& ride_id, double north_m) {
    auto start = std::make_shared<DispatchStart>();
    start->ride_id = ride_id;
    start->epoch = 1;
    start->region_id = "sf";
    start->product_id = "economy";
    start->pickup = Toward(kPickup, 0, north_m);
    start->remaining = absl::Seconds(120);
    core_->Start(now_, 1, std::move(start));
  };
  // 10 s of waiting are worth 100 s of driving: more than 400 m, less than 900 m.
  start_at("early", 0);
  Pass(absl::Seconds(10));
  start_at("late", 400);
  Online("d1", 1, 400);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("s1 offer o1 early@1"));

  core_->Stop(now_, 1, "early", 1, StopReason::kRideCanceled);
  core_->Stop(now_, 1, "late", 1, StopReason::kRideCanceled);
  Wish("d1", Availability::kOffline);
  start_at("early2", 0);
  Pass(absl::Seconds(10));
  start_at("late2", 900);
  Online("d2", 2, 900);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("s2 offer o2 late2@1"));
}

TEST_F(OfferTest, ADeclineIsReportedAndTheNextDriverAsked) {
  Online("d1", 1, 300);
  Online("d2", 2, 400);
  Start("r1");
  Received("d1", "o1");
  Take();
  Respond("d1", "o1", false);
  EXPECT_THAT(Take(), ElementsAre("l1 settled r1@1 d1 DECLINED", "s1 o1 DECLINED", "s2 offer o2 r1@1"));
  EXPECT_TRUE(answers_.at("").status.ok());
  EXPECT_EQ(answers_.at("").offer.status, OfferStatus::kDeclined);
  EXPECT_EQ(answers_.at("").state.status, DriverStatus::kAvailable);
  ASSERT_EQ(out_.records.size(), 1u);
  EXPECT_EQ(out_.records[0].outcome, OfferStatus::kDeclined);
  EXPECT_EQ(out_.records[0].driver_id, "d1");
}

TEST_F(OfferTest, WhoDeclinedIsNotAskedAgainForThatRideOnly) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", false);
  Take();
  Pass(absl::Seconds(5));
  EXPECT_THAT(Take(), IsEmpty());
  Start("r2");
  EXPECT_THAT(Take(), ElementsAre("l1 started r2@1", "s1 offer o2 r2@1"));
}

TEST_F(OfferTest, ADeclinedOfferCannotBeAccepted) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", false, "first");
  Respond("d1", "o1", false, "again");
  Respond("d1", "o1", true, "changed my mind");
  EXPECT_TRUE(answers_.at("again").status.ok());
  EXPECT_THAT(answers_.at("changed my mind").status, HasReason(Reason::kOfferDeclined));
  EXPECT_THAT(out_.confirms, IsEmpty());
}

TEST_F(OfferTest, AnOfferExpiresAfter15Seconds) {
  Online("d1", 1, 300);
  Start("r1");
  Received("d1", "o1");
  Take();
  Pass(absl::Milliseconds(14900));
  EXPECT_EQ(core_->State(now_, "d1").offer->remaining, absl::Milliseconds(100));
  Take();
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Take(), ElementsAre("l1 settled r1@1 d1 EXPIRED", "s1 o1 EXPIRED"));
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(OfferTest, TheServersClockDecidesBetweenAcceptAndExpiry) {
  Online("d1", 1, 300);
  Start("r1");
  Received("d1", "o1");
  Take();
  // The tick that would expire the offer has not come yet.
  now_.domain += absl::Seconds(15);
  now_.wall += absl::Seconds(15);
  Respond("d1", "o1", true);
  EXPECT_THAT(answers_.at("").status, HasReason(Reason::kOfferExpired));
  EXPECT_THAT(Take(), ElementsAre("l1 settled r1@1 d1 EXPIRED", "s1 o1 EXPIRED"));
  EXPECT_THAT(out_.confirms, IsEmpty());
}

TEST_F(OfferTest, AnAcceptInTheLastMomentHoldsHoweverLongItsConfirmationTakes) {
  Online("d1", 1, 300);
  Start("r1");
  Received("d1", "o1");
  Pass(absl::Milliseconds(14900));
  Respond("d1", "o1", true);
  Take();
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
}

TEST_F(OfferTest, AnAppThatDoesNotShowTheOfferIn3SecondsLosesItWithoutPenalty) {
  Online("d1", 1, 300);
  Online("d2", 2, 400);
  Start("r1");
  Take();
  Pass(absl::Milliseconds(2900));
  EXPECT_THAT(Take(), IsEmpty());
  Pass(absl::Milliseconds(100));
  // rider-service gets no message, because this is no decline.
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED", "s2 offer o2 r1@1"));
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  Respond("d1", "o1", true);
  EXPECT_THAT(answers_.at("").status, HasReason(Reason::kOfferRevoked));
  EXPECT_EQ(DetailsOf(answers_.at("").status)->metadata.at("revoke_reason"), "SUPERSEDED");
}

TEST_F(OfferTest, AnAppThatDidNotShowTheOfferIsAskedAgainLater) {
  Online("d1", 1, 300);
  Start("r1");
  Pass(absl::Seconds(3));
  Take();
  for (int i = 0; i < 29; ++i) {
    Move("d1", 300);
    Pass(absl::Seconds(1));
  }
  EXPECT_THAT(Take(), ElementsAre("l1 working r1@1", "l1 working r1@1", "l1 working r1@1"));
  Move("d1", 300);
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("s1 offer o2 r1@1"));
}

TEST_F(OfferTest, AnOfferThatRunsOutBeforeTheAppCouldShowItIsNoExpiry) {
  time_scale_ = 30;  // 15 s of domain time are half a second
  Online("d1", 1, 300);
  Start("r1");
  Take();
  Pass(absl::Milliseconds(500));
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED"));
}

TEST_F(OfferTest, ReadingTheStateCountsAsReceived) {
  Online("d1", 1, 300);
  Start("r1");
  EXPECT_EQ(core_->State(now_, "d1").offer->offer_id, out_.Id("o1"));
  EXPECT_EQ(core_->ReadState(now_, "d1", core_->State(now_, "d1").session_epoch).offer->offer_id, out_.Id("o1"));
  Pass(absl::Seconds(5));
  EXPECT_EQ(Status("d1"), DriverStatus::kOffered);
}

TEST_F(OfferTest, LookingAtTheStateDoesNot) {
  Online("d1", 1, 300);
  Start("r1");
  EXPECT_EQ(core_->State(now_, "d1").offer->offer_id, out_.Id("o1"));
  Pass(absl::Seconds(3));
  EXPECT_NE(Status("d1"), DriverStatus::kOffered);
}

TEST_F(OfferTest, ReceivedByAnotherDriverDoesNotCount) {
  Online("d1", 1, 300);
  Online("d2", 2, 5000);
  Start("r1");
  Received("d2", "o1");
  Pass(absl::Seconds(3));
  EXPECT_EQ(out_.records.size(), 1u);
}

TEST_F(OfferTest, GoingOfflineWithdrawsTheOffer) {
  Online("d1", 1, 300);
  Online("d2", 2, 400);
  Start("r1");
  Take();
  Wish("d1", Availability::kOffline);
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED WENT_OFFLINE", "s2 offer o2 r1@1"));
  EXPECT_EQ(Status("d1"), DriverStatus::kOffline);
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNothing);
  // Going offline never counts against the driver, who gets the next ride once back online.
  Wish("d1", Availability::kOnline);
  Start("r2");
  EXPECT_THAT(Take(), ElementsAre("l1 started r2@1", "s1 offer o3 r2@1"));
}

TEST_F(OfferTest, GoingOfflineWhileConfirmingKeepsTheRide) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", true);
  Wish("d1", Availability::kOffline);
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  Confirmed(Committed());
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  EXPECT_EQ(core_->State(now_, "d1").availability, Availability::kOffline);
  // After the ride the driver gets no offers.
  Event("d1", MakeRide("r1", 5, 1, out_.Id("o1"), false), true);
  EXPECT_EQ(Status("d1"), DriverStatus::kOffline);
}

TEST_F(OfferTest, ABrokenStreamKeepsAnOfferThatWasReceived) {
  Online("d1", 1, 300);
  Start("r1");
  Received("d1", "o1");
  core_->CloseStream(now_, "d1", 1);
  Pass(absl::Seconds(5));
  Take();
  core_->OpenStream(now_, MakeDriver("d1"), Availability::kOnline, Claim(), 2, std::nullopt);
  AnswerFeed("d1");
  EXPECT_THAT(Take(), ElementsAre("subscribe d1", "s2 snapshot OFFERED o1", "s2 caught_up 0"));
  Respond("d1", "o1", true);
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
}

TEST_F(OfferTest, ADriverWithoutAStreamGetsNoNewOffers) {
  Online("d1", 1, 300);
  core_->CloseStream(now_, "d1", 1);
  Start("r1");
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNotConnected);
}

TEST_F(OfferTest, AnotherDriversOfferIsNotFound) {
  Online("d1", 1, 300);
  Online("d2", 2, 5000);
  Start("r1");
  Respond("d2", "o1", true);
  EXPECT_THAT(answers_.at("").status, HasReason(Reason::kOfferNotFound));
  EXPECT_EQ(Status("d1"), DriverStatus::kOffered);
  EXPECT_THAT(out_.confirms, IsEmpty());
}

TEST_F(OfferTest, AnUnknownOfferIsLookedUp) {
  Online("d1", 1, 300);
  Respond("d1", "lost", true, "assigned");
  EXPECT_THAT(Take(), ElementsAre("find d1 lost"));
  core_->OnFound(now_, out_.finds.back().find, MakeRide("r9", 2, 1, "lost"));
  EXPECT_TRUE(answers_.at("assigned").status.ok());
  EXPECT_EQ(answers_.at("assigned").offer.status, OfferStatus::kAccepted);
  EXPECT_EQ(answers_.at("assigned").offer.ride_id, "r9");
  // The feed is caught up and has no ride, so the ride is over by now.
  EXPECT_EQ(answers_.at("assigned").state.ride, nullptr);

  Respond("d1", "lost2", true, "not");
  core_->OnFound(now_, out_.finds.back().find, NotFound(Reason::kRideNotFound, "no"));
  EXPECT_THAT(answers_.at("not").status, HasReason(Reason::kOfferNotFound));

  Respond("d1", "lost3", true, "unknown");
  core_->OnFound(now_, out_.finds.back().find, Unknown());
  EXPECT_THAT(answers_.at("unknown").status, HasReason(Reason::kPeerUnavailable));
  // A second result causes no second answer.
  core_->OnFound(now_, out_.finds.back().find, Unknown());
}

TEST_F(OfferTest, TheLogSaysWhatAnOfferCameTo) {
  Online("d1", 1, 300);
  const auto ask = [&](const std::string& driver, bool accept, const auto& logged) {
    Respond(driver, "past", accept);
    core_->OnFound(now_, out_.finds.back().find, NotFound(Reason::kRideNotFound, "no"), logged);
    const RespondResult answer = answers_.at("");
    answers_.clear();
    return answer;
  };
  const auto logged = [](OfferStatus outcome, RevokeReason reason = RevokeReason::kNone) {
    return std::optional<LoggedOffer>({"d1", "r9", outcome, reason});
  };
  // A decline stands, but only for the driver who declined.
  const RespondResult again = ask("d1", false, logged(OfferStatus::kDeclined));
  EXPECT_TRUE(again.status.ok());
  EXPECT_EQ(again.offer.status, OfferStatus::kDeclined);
  EXPECT_EQ(again.offer.ride_id, "r9");
  EXPECT_THAT(ask("d1", true, logged(OfferStatus::kDeclined)).status, HasReason(Reason::kOfferDeclined));
  EXPECT_THAT(ask("d2", false, logged(OfferStatus::kDeclined)).status, HasReason(Reason::kOfferNotFound));
  for (const bool accept : {true, false}) {
    EXPECT_THAT(ask("d1", accept, logged(OfferStatus::kExpired)).status, HasReason(Reason::kOfferExpired));
    const absl::Status taken = ask("d1", accept, logged(OfferStatus::kRevoked, RevokeReason::kTaken)).status;
    EXPECT_THAT(taken, HasReason(Reason::kOfferRevoked));
    EXPECT_EQ(DetailsOf(taken)->metadata.at("revoke_reason"), "TAKEN");
    // Only rider-service knows whether an accepted offer has its ride.
    EXPECT_THAT(ask("d1", accept, logged(OfferStatus::kAccepted)).status, HasReason(Reason::kOfferExpired));
    EXPECT_THAT(ask("d1", accept, std::optional<LoggedOffer>()).status, HasReason(Reason::kOfferNotFound));
    EXPECT_THAT(ask("d1", accept, absl::StatusOr<std::optional<LoggedOffer>>(Unknown())).status,
                HasReason(Reason::kPeerUnavailable));
  }
}

TEST_F(OfferTest, AnUnknownOfferOfADriverNotSyncedShowsTheRideFound) {
  Respond("stranger", "lost", true);
  core_->OnFound(now_, out_.finds.back().find, MakeRide("r9", 2, 1, "lost"));
  EXPECT_EQ(answers_.at("").state.status, DriverStatus::kOnTrip);
  EXPECT_EQ(answers_.at("").state.ride->ride_id, "r9");
}

TEST_F(OfferTest, SettledOffersAreRememberedAWhile) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", false, "first");
  Pass(absl::Minutes(10) - absl::Seconds(1));
  Respond("d1", "o1", false, "remembered");
  EXPECT_TRUE(answers_.at("remembered").status.ok());
  EXPECT_THAT(out_.finds, IsEmpty());
  Pass(absl::Seconds(1));
  Respond("d1", "o1", false, "forgotten");
  EXPECT_EQ(out_.finds.size(), 1u);
}

TEST_F(OfferTest, TheSameInputGivesTheSameOffers) {
  std::vector<std::string> first;
  for (int i = 0; i < 2; ++i) {
    RecordingOut out;
    LocationIndex index;
    std::uint64_t n = 0;
    Dispatch core(
        {}, index, travel_times_, matcher_, [&] { return ++n; }, out);
    core.OnFeedUp(now_);
    core.LinkUp(now_, 1);
    for (int d = 0; d < 20; ++d) {
      const std::string id = absl::StrCat("d", d);
      core.OpenStream(now_, MakeDriver(id), Availability::kOnline, Claim(), d + 1, std::nullopt);
      core.OnFeedSnapshot(now_, {id, out.subscriptions.at(id), {}, false, nullptr});
      // All drivers are at the same place: ids break ties.
      index.Update(id, {.point = kPickup, .position_seq = 1, .observed = now_.domain});
    }
    for (int r = 0; r < 10; ++r) {
      auto start = std::make_shared<DispatchStart>();
      start->ride_id = absl::StrCat("r", r);
      start->epoch = 1;
      start->region_id = "sf";
      start->product_id = "economy";
      start->pickup = kPickup;
      start->remaining = absl::Seconds(120);
      core.Start(now_, 1, start);
    }
    Now later = now_;
    for (int t = 0; t < 100; ++t) {
      later.domain += absl::Milliseconds(100);
      later.wall += absl::Milliseconds(100);
      core.Tick(later);
    }
    std::vector<std::string> lines = out.Take();
    EXPECT_GT(lines.size(), 60u);
    if (i == 0) first = lines;
    EXPECT_EQ(lines, first);
  }
}

}  // namespace
}  // namespace hail::driver
