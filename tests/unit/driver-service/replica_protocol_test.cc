// One replica's side of the protocol; dispatch_replicas_test.cc has both sides.
#include "driver-service/domain/replica_protocol.h"

#include "tests/unit/driver-service/dispatch_parts_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ReplicaProtocolTest : public DispatchPartsTest {
 protected:
  void Hear(const ReplicaMessage& message, const std::string& from = "there") {
    replicas_.OnMessage(now_, from, message);
  }
  // A driver of another replica, who can be offered a ride.
  void Sighted(const std::string& driver_id, std::int64_t epoch, const std::string& at = "there") {
    DriverPresence presence;
    presence.driver_id = driver_id;
    presence.session_epoch = epoch;
    presence.number = ++presences_;
    presence.offerable = presence.on_map = true;
    presence.car = std::make_shared<const CarProfile>(CarProfile{"sf", {"economy"}, 4});
    presence.fix = Fix{.point = kPickup, .session_epoch = epoch, .position_seq = presences_, .observed = now_.domain};
    Hear(Presences{{presence}}, at);
  }
  // Matches the one due ride with a driver of another replica and requests the offer. Returns the offer's id.
  std::string Ask() {
    const auto matches = queue_.TakeMatches(now_, [this](const std::string& id) { return replicas_.CanAsk(id); });
    EXPECT_THAT(matches, SizeIs(1));
    replicas_.Ask(now_, matches.at(0));
    return std::get<RemoteOfferRequest>(out_.to_replica.back().second).offer_id;
  }
  void Free(const std::string& ride_id) {
    Dispatch(ride_id);
    queue_.Free(now_, ride_id);
  }
  RemoteOfferRequest AskFor(const std::string& offer_id, const std::string& ride_id, std::int64_t epoch = 1) const {
    RemoteOfferRequest ask;
    ask.offer_id = offer_id;
    ask.driver_id = "d1";
    ask.start = StartOf(ride_id, epoch);
    ask.remaining = absl::Seconds(60);
    return ask;
  }
  RemoteOfferRejectReason LastEnding() const {
    return std::get<RemoteOfferStatus>(out_.to_replica.back().second).ending;
  }
  bool LastIsWithdrawal() const { return std::holds_alternative<OfferWithdraw>(out_.to_replica.back().second); }
  void Tick(absl::Duration length) {
    Pass(length);
    replicas_.Tick(now_);
  }

  std::uint64_t presences_ = 0;
};

TEST_F(ReplicaProtocolTest, ALaterClaimEndsTheSessionAnEarlierOneDoesNot) {
  claims_ = 4;
  Online("d1", 7);
  Hear(SessionClaimed{"d1", 4, true});
  EXPECT_EQ(sessions_.size(), 1u);
  Hear(SessionClaimed{"d1", 6, true}, "here");
  EXPECT_EQ(sessions_.size(), 1u) << "its own message";
  Hear(SessionClaimed{"d1", 6, true});
  EXPECT_EQ(sessions_.size(), 0u);
  EXPECT_THAT(out_.Take(), ElementsAre("s7 replaced", "unsubscribe d1"));
  EXPECT_TRUE(replicas_.RefuseLateStream(8, "d1", 5));
  EXPECT_THAT(out_.Take(), ElementsAre("s8 replaced"));
  EXPECT_FALSE(replicas_.RefuseLateStream(8, "d1", 7));
}

TEST_F(ReplicaProtocolTest, AClaimOfTheStoreIsAnothersOrThisReplicasOwn) {
  Online("d1", 7);
  replicas_.OnClaim(now_, {"d1", 5, "here", true});
  EXPECT_EQ(sessions_.Find("d1")->claim, 5);
  replicas_.OnClaim(now_, {"d1", 6, "", false});
  EXPECT_EQ(sessions_.size(), 0u);
  EXPECT_FALSE(replicas_.RefuseLateStream(8, "d1", 5)) << "nobody's";
}

TEST_F(ReplicaProtocolTest, ADriverElsewhereIsAskedOneOfferAtATime) {
  Sighted("d1", 3);
  EXPECT_TRUE(replicas_.CanAsk("d1"));
  Free("r1");
  const std::string offer_id = Ask();
  EXPECT_FALSE(replicas_.CanAsk("d1"));
  EXPECT_TRUE(replicas_.HasLiveOffer("r1"));
  Hear(RemoteOfferStatus{offer_id, OfferStatus::kPending});
  Hear(RemoteOfferStatus{offer_id, OfferStatus::kDeclined}, "another");
  EXPECT_TRUE(replicas_.HasLiveOffer("r1")) << "the message is not from the owner";
  out_.Take();
  Hear(RemoteOfferStatus{offer_id, OfferStatus::kDeclined});
  EXPECT_THAT(out_.Take(), ElementsAre("l1 settled r1@1 d1 DECLINED"));
  EXPECT_FALSE(replicas_.HasLiveOffer("r1"));
  EXPECT_TRUE(replicas_.CanAsk("d1"));
  EXPECT_THAT(TakeMatches(), IsEmpty()) << "due, and the driver excluded";
}

TEST_F(ReplicaProtocolTest, AReplicaThatDoesNotAnswerIsNotAskedBeforeItsNextMessage) {
  Sighted("d1", 3);
  Sighted("d2", 4);
  Free("r1");
  Ask();
  Tick(options_.ask_answer_time);
  EXPECT_TRUE(LastIsWithdrawal());
  EXPECT_FALSE(replicas_.HasLiveOffer("r1"));
  EXPECT_FALSE(replicas_.CanAsk("d2"));
  Sighted("d2", 4);
  EXPECT_TRUE(replicas_.CanAsk("d2"));
}

TEST_F(ReplicaProtocolTest, AnOwnerThatIsGoneIsGivenUp) {
  Sighted("d1", 3);
  Free("r1");
  const std::string offer_id = Ask();
  Hear(RemoteOfferStatus{offer_id, OfferStatus::kConfirming});
  Tick(options_.ask_answer_time);
  for (int i = 0; i < options_.asks_unanswered; ++i) {
    EXPECT_TRUE(replicas_.HasLiveOffer("r1"));
    Tick(options_.ask_interval);
  }
  EXPECT_TRUE(replicas_.HasLiveOffer("r1")) << "the first answer counted";
  Tick(options_.ask_interval);
  EXPECT_FALSE(replicas_.HasLiveOffer("r1"));
  EXPECT_THAT(TakeMatches(), SizeIs(1)) << "the ride is due again";
}

TEST_F(ReplicaProtocolTest, APendingOfferIsWithdrawnIfTheDriverComesHereOneBeingConfirmedGoesOn) {
  Sighted("d1", 3);
  Sighted("d2", 3);
  Free("r1");
  const std::string first = Ask();
  Free("r2");
  const std::string second = Ask();
  const std::string second_driver = std::get<RemoteOfferRequest>(out_.to_replica.back().second).driver_id;
  Hear(RemoteOfferStatus{second, OfferStatus::kConfirming});
  out_.to_replica.clear();
  for (const char* id : {"d1", "d2"}) replicas_.OnSessionOpening(now_, id);
  ASSERT_THAT(out_.to_replica, SizeIs(1));
  EXPECT_EQ(std::get<OfferWithdraw>(out_.to_replica[0].second).offer_id, first);
  EXPECT_FALSE(replicas_.HasLiveOffer("r1"));
  EXPECT_TRUE(replicas_.HasLiveOffer("r2"));
  EXPECT_FALSE(replicas_.CanAsk(second_driver));
}

TEST_F(ReplicaProtocolTest, AnOfferIsMadeForAnotherReplicaOnce) {
  Online("d1", 7);
  Hear(AskFor("x", "r1"));
  EXPECT_EQ(offers_.LiveOf("d1")->offer_id, "x");
  Hear(AskFor("x", "r1"));
  EXPECT_EQ(LastEnding(), RemoteOfferRejectReason::kNone);
  Hear(AskFor("y", "r2"));
  EXPECT_EQ(LastEnding(), RemoteOfferRejectReason::kNotFree);
  RemoteOfferRequest repeated = AskFor("z", "r3");
  repeated.repeated = true;
  Hear(repeated);
  EXPECT_EQ(LastEnding(), RemoteOfferRejectReason::kUnknown);
}

TEST_F(ReplicaProtocolTest, ARideHasOneOfferWhicheverReplicaDispatchesIt) {
  Online("d1", 7);
  Online("d2", 8);
  Dispatch("r1", 2);
  Hear(AskFor("x", "r1", 1));
  EXPECT_EQ(LastEnding(), RemoteOfferRejectReason::kDispatchOver);
  Hear(AskFor("x", "r1", 2));
  EXPECT_EQ(LastEnding(), RemoteOfferRejectReason::kNotFree);
  MakeOffer("own", "d2", "r1");
  Hear(AskFor("x", "r1", 3));
  EXPECT_EQ(queue_.EpochOf("r1"), std::nullopt) << "the other replica dispatches it";
  EXPECT_EQ(offers_.LiveOf("d2"), nullptr);
  EXPECT_EQ(offers_.LiveOfRide("r1")->offer_id, "x");
}

TEST_F(ReplicaProtocolTest, AnOfferBeingConfirmedIsNotSuperseded) {
  Online("d1", 7);
  Online("d2", 8);
  MakeOffer("own", "d2", "r1");
  Respond("d2", "own", true);
  Hear(RideStarted{{"r1", 2}});
  Hear(AskFor("x", "r1", 2));
  EXPECT_EQ(LastEnding(), RemoteOfferRejectReason::kNotFree);
  EXPECT_EQ(offers_.LiveOfRide("r1")->offer_id, "own");
}

TEST_F(ReplicaProtocolTest, ARemoteDriverIsForgottenWhenNothingIsHeardForLong) {
  Sighted("d1", 3);
  Tick(options_.session_idle - absl::Seconds(1));
  EXPECT_TRUE(replicas_.CanAsk("d1"));
  Tick(absl::Seconds(1));
  EXPECT_FALSE(replicas_.CanAsk("d1"));
  EXPECT_EQ(index_.Find("d1"), std::nullopt);
}

}  // namespace
}  // namespace hail::driver
