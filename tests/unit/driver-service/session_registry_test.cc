// Drivers' sessions alone; the test plays the offers.
#include "driver-service/domain/session_registry.h"

#include "tests/unit/driver-service/dispatch_parts_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SessionRegistryTest : public testing::Test, public SessionRegistry::LiveOffers {
 protected:
  SessionRegistryTest() { sessions_.OnFeedUp(now_); }

  const Offer* LiveOf(const std::string&) const override { return live_; }
  void Revoke(Now now, const Offer& offer, RevokeReason reason) override {
    revoked_.push_back(RevokeReasonName(reason));
    live_ = nullptr;
    sessions_.OnOffer(now, offer.driver_id, nullptr, UpdateOf(offer));
  }
  void OnAssigned(Now now, const Offer& offer) override {
    assigned_.push_back(offer.offer_id);
    live_ = nullptr;
    sessions_.OnOffer(now, offer.driver_id, nullptr, UpdateOf(offer));
  }

  void Open(StreamId stream, std::optional<RideCursor> cursor = std::nullopt) {
    sessions_.OpenStream(now_, DriverOf("d1"), Availability::kOnline, ++claims_, stream, std::move(cursor), {});
  }
  void Snapshot(RideRef ride = nullptr) {
    sessions_.OnFeedSnapshot(now_, {"d1", out_.subscriptions.at("d1"), {}, false, std::move(ride)});
  }
  void Event(RideView ride, bool ended = false) {
    sessions_.OnFeedEvent(now_, {"d1", out_.subscriptions.at("d1"), {RefOf(std::move(ride)), nullptr}, ended});
  }
  // The driver gets a live offer.
  void Offered(OfferStatus status = OfferStatus::kPending) {
    offer_.offer_id = "o1";
    offer_.driver_id = "d1";
    offer_.start = StartOf("r1");
    offer_.status = status;
    offer_.expires = now_.domain + absl::Seconds(15);
    live_ = &offer_;
    sessions_.OnOffer(now_, "d1", live_, ViewOf(offer_, now_.domain));
  }
  bool Offerable() const { return sessions_.Find("d1")->offerable; }
  void Pass(absl::Duration length) {
    now_.wall += length;
    now_.domain += length;
    sessions_.Tick(now_);
  }

  const DispatchOptions options_;
  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::FromUnixSeconds(1'700'000'000)};
  std::int64_t claims_ = 0;
  LocationIndex index_;
  RecordingOut out_;
  Offer offer_;
  const Offer* live_ = nullptr;
  std::vector<std::string> revoked_;
  std::vector<std::string> assigned_;
  SessionRegistry sessions_{options_, index_, out_, *this};
};

TEST_F(SessionRegistryTest, ADriverIsOfferableOnlyWhileCaughtUpAndWithoutRideAndOffer) {
  Open(1);
  EXPECT_FALSE(Offerable());
  Snapshot();
  EXPECT_TRUE(Offerable());
  sessions_.OnFeedDown(now_);
  EXPECT_FALSE(Offerable());
  sessions_.OnFeedUp(now_);
  EXPECT_FALSE(Offerable());
  Snapshot();
  Offered();
  EXPECT_FALSE(Offerable());
  sessions_.OnOffer(now_, "d1", nullptr, UpdateOf(offer_));
  EXPECT_TRUE(Offerable());
  Event(ViewOfRide("r2", 2, "x"));
  EXPECT_FALSE(Offerable());
  sessions_.Learn(now_, DriverOf("d1"), Availability::kOffline);
  Event(ViewOfRide("r2", 3, "x", false), true);
  EXPECT_FALSE(Offerable());
}

TEST_F(SessionRegistryTest, ARideOutlivesStreamAndFeed) {
  Open(1);
  Snapshot(RefOf(ViewOfRide("r1", 2, "x")));
  sessions_.CloseStream(now_, "d1", 1);
  sessions_.OnFeedDown(now_);
  Pass(2 * options_.session_idle);
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kOnTrip);
  EXPECT_EQ(out_.trips.at("d1").second->ride_id, "r1");
}

TEST_F(SessionRegistryTest, ASessionWithoutStreamOrRideIsForgotten) {
  Open(1);
  Snapshot();
  sessions_.CloseStream(now_, "d1", 1);
  Pass(options_.session_idle - absl::Seconds(1));
  EXPECT_EQ(sessions_.size(), 1u);
  Pass(absl::Seconds(1));
  EXPECT_EQ(sessions_.size(), 0u);
  EXPECT_THAT(out_.subscriptions, IsEmpty());
}

TEST_F(SessionRegistryTest, ASessionWithALiveOfferIsNotForgotten) {
  Open(1);
  Snapshot();
  Offered(OfferStatus::kConfirming);
  sessions_.CloseStream(now_, "d1", 1);
  Pass(3 * options_.session_idle);
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kReserved);
}

TEST_F(SessionRegistryTest, APendingOfferEndsWithTheWishTheSessionOrAnotherRide) {
  Open(1);
  Snapshot();
  Offered();
  sessions_.Learn(now_, DriverOf("d1"), Availability::kOffline);
  sessions_.Learn(now_, DriverOf("d1"), Availability::kOnline);
  Offered();
  Event(ViewOfRide("r2", 2, "x"));
  Event(ViewOfRide("r2", 3, "x", false), true);
  Offered();
  sessions_.Lose(now_, "d1", claims_, false);
  EXPECT_EQ(sessions_.size(), 1u) << "the claim is not later";
  sessions_.Lose(now_, "d1", claims_ + 1, false);
  EXPECT_THAT(revoked_, ElementsAre("WENT_OFFLINE", "SUPERSEDED", "SUPERSEDED"));
  EXPECT_EQ(sessions_.size(), 0u);
}

TEST_F(SessionRegistryTest, APendingOfferEndsWithTheVehicleOrTheRegionThatItWasMadeTo) {
  Open(1);
  Snapshot();
  Offered();
  Driver driver = DriverOf("d1");
  driver.display_name = "Dora the second";
  driver.product_ids.push_back("xl");
  sessions_.Learn(now_, driver, Availability::kOnline);
  EXPECT_THAT(revoked_, IsEmpty()) << "name and products count from the next offer on";
  driver.vehicle.plate = "8XYZ999";
  sessions_.Learn(now_, driver, Availability::kOnline);
  EXPECT_THAT(revoked_, ElementsAre("SUPERSEDED"));
  EXPECT_TRUE(Offerable());
  Offered();
  driver.region_id = "nyc";
  sessions_.Learn(now_, driver, Availability::kOnline);
  EXPECT_THAT(revoked_, ElementsAre("SUPERSEDED", "SUPERSEDED"));
  Offered(OfferStatus::kConfirming);
  driver.vehicle.seats = 6;
  sessions_.Learn(now_, driver, Availability::kOnline);
  EXPECT_THAT(revoked_, SizeIs(2));
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kReserved);
}

TEST_F(SessionRegistryTest, OneBeingConfirmedOutlivesAllThat) {
  Open(1);
  Snapshot();
  Offered(OfferStatus::kConfirming);
  sessions_.Learn(now_, DriverOf("d1"), Availability::kOffline);
  Event(ViewOfRide("r2", 2, "x"));
  sessions_.Lose(now_, "d1", ++claims_, false);
  EXPECT_THAT(revoked_, IsEmpty());
  Open(2);
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kReserved) << "with the next session as well";
}

TEST_F(SessionRegistryTest, TheFeedSettlesTheLiveOfferThatBroughtItsRide) {
  Open(1);
  Snapshot();
  Offered(OfferStatus::kConfirming);
  Event(ViewOfRide("r0", 9, "o0", false), true);
  EXPECT_THAT(assigned_, IsEmpty());
  Event(ViewOfRide("r1", 2, "o1"));
  Event(ViewOfRide("r1", 3, "o1"));
  EXPECT_THAT(assigned_, ElementsAre("o1"));
  EXPECT_THAT(revoked_, IsEmpty());
}

TEST_F(SessionRegistryTest, AReplyAsNewAsTheFeedIsBelievedAnOlderOneIsChecked) {
  Open(1);
  EXPECT_EQ(sessions_.FeedGeneration("d1"), -1);
  Snapshot();
  const std::int64_t generation = sessions_.FeedGeneration("d1");
  const std::int64_t subscription = out_.subscriptions.at("d1");
  sessions_.OnConfirmed(now_, "d1", ViewOfRide("r1", 2, "o1"), generation);
  EXPECT_EQ(out_.subscriptions.at("d1"), subscription);
  Event(ViewOfRide("r1", 3, "o1", false), true);

  sessions_.Resubscribe(now_, "d1");
  Snapshot();
  sessions_.OnConfirmed(now_, "d1", ViewOfRide("r2", 2, "o2"), generation);
  EXPECT_GT(out_.subscriptions.at("d1"), subscription + 1);
  EXPECT_EQ(sessions_.State(now_, "d1").ride->ride_id, "r2") << "the ride stays until the feed reports otherwise";
  Snapshot();
  EXPECT_EQ(sessions_.State(now_, "d1").ride, nullptr);
}

TEST_F(SessionRegistryTest, ASnapshotWithoutTheRideOfAReplyIsAskedForAgain) {
  Open(1);
  Snapshot();
  sessions_.OnConfirmed(now_, "d1", ViewOfRide("r1", 2, "o1"), sessions_.FeedGeneration("d1"));
  const std::int64_t subscription = out_.subscriptions.at("d1");
  Snapshot();
  EXPECT_EQ(sessions_.State(now_, "d1").ride->ride_id, "r1");
  EXPECT_GT(out_.subscriptions.at("d1"), subscription);
  Snapshot();
  EXPECT_EQ(sessions_.State(now_, "d1").ride, nullptr);
}

TEST_F(SessionRegistryTest, AReplyToAConfirmationOfAnEarlierSessionIsChecked) {
  Open(1);
  Snapshot();
  const std::int64_t generation = sessions_.FeedGeneration("d1");
  sessions_.Lose(now_, "d1", ++claims_, true);
  Open(2);
  Snapshot();
  // The ride may have begun and ended while the session was elsewhere.
  sessions_.OnConfirmed(now_, "d1", ViewOfRide("r1", 2, "o1"), generation);
  Snapshot();
  EXPECT_EQ(sessions_.State(now_, "d1").ride, nullptr);
}

TEST_F(SessionRegistryTest, ASubscriptionWithoutAnAnswerIsRepeated) {
  Open(1);
  const std::int64_t subscription = out_.subscriptions.at("d1");
  Pass(options_.feed_answer_time - absl::Milliseconds(1));
  EXPECT_EQ(out_.subscriptions.at("d1"), subscription);
  Pass(absl::Milliseconds(1));
  EXPECT_GT(out_.subscriptions.at("d1"), subscription);
}

TEST_F(SessionRegistryTest, AStreamGetsEachEventOnceAndInOrder) {
  Open(1, RideCursor{"r1", 2});
  Snapshot(RefOf(ViewOfRide("r1", 3, "x")));
  out_.Take();
  for (const std::int64_t sequence : {3, 4, 4, 2, 5}) Event(ViewOfRide("r1", sequence, "x"));
  EXPECT_THAT(out_.Take(), ElementsAre("s1 event r1#4", "s1 event r1#5"));
  EXPECT_EQ(sessions_.CursorOf("d1"), (RideCursor{"r1", 5}));
}

TEST_F(SessionRegistryTest, AStreamIsToldOfAPositionThatGrewOldWithoutAnyInput) {
  Open(1);
  index_.Update("d1", {.point = kPickup, .session_epoch = 1, .position_seq = 1, .observed = now_.domain});
  Snapshot();
  sessions_.SendStates(now_);
  EXPECT_EQ(sessions_.State(now_, "d1").status, DriverStatus::kAvailable);
  Pass(options_.position_freshness);
  sessions_.SendStates(now_);
  EXPECT_THAT(out_.states, IsEmpty());
  Pass(absl::Milliseconds(1));
  sessions_.SendStates(now_);
  ASSERT_EQ(out_.states.size(), 1u);
  EXPECT_EQ(out_.states[0].blocked_by, BlockedBy::kStalePosition);
}

}  // namespace
}  // namespace hail::driver
