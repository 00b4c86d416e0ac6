#include "tests/tools/hail-sim/rider_agent.h"

#include <vector>

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

namespace rpb = hail::rider::v1;
namespace tpb = hail::type::v1;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

struct Alarm {
  absl::Duration after;
  RiderTimer timer;
  std::uint64_t token;
};

class FakePhone final : public RiderOut {
 public:
  void Call(const RiderCall& call) override { calls.push_back(call); }
  void Open(const rpb::WatchRideRequest& open, bool bidirectional) override {
    opened.push_back(open);
    streams_both_ways = bidirectional;
  }
  void Send(const rpb::StreamRideRequest& message) override { sent.push_back(message); }
  void Drop() override { ++drops; }
  void Wake(absl::Duration domain, RiderTimer timer, std::uint64_t token) override {
    alarms.push_back({domain, timer, token});
  }
  void WakeWall(absl::Duration wall, RiderTimer timer, std::uint64_t token) override {
    alarms.push_back({wall, timer, token});
  }
  void Count(const std::string& what) override { ++counts[what]; }

  // The last call of this kind; the test fails without one.
  template <class Request>
  Request Last() const {
    for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
      if (std::holds_alternative<Request>(*call)) return std::get<Request>(*call);
    }
    ADD_FAILURE() << "no such call";
    return {};
  }
  template <class Request>
  int Calls() const {
    int count = 0;
    for (const RiderCall& call : calls) count += std::holds_alternative<Request>(call) ? 1 : 0;
    return count;
  }
  const Alarm* Find(RiderTimer timer) const {
    for (auto alarm = alarms.rbegin(); alarm != alarms.rend(); ++alarm) {
      if (alarm->timer == timer) return &*alarm;
    }
    return nullptr;
  }

  std::vector<RiderCall> calls;
  std::vector<rpb::WatchRideRequest> opened;
  std::vector<rpb::StreamRideRequest> sent;
  std::vector<Alarm> alarms;
  std::map<std::string, int> counts;
  bool streams_both_ways = false;
  int drops = 0;
};

class RiderAgentTest : public ::testing::Test {
 protected:
  RiderAgentTest() {
    trip_.trip_id = "t1";
    trip_.pickup = {37.78, -122.42};
    trip_.dropoff = {37.77, -122.40};
    odds_.watch = 0;
  }

  Now At(int seconds) const { return {kStart + absl::Seconds(seconds), kStart + absl::Seconds(seconds)}; }

  void Make() { agent_ = std::make_unique<RiderAgent>("r1", "q1", trip_, "economy", odds_, 1, &phone_, script_); }

  // Up to the acknowledgement.
  void Acknowledge() {
    Make();
    agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
    rpb::RequestRideResponse reply;
    reply.mutable_ride()->set_ride_id("ride");
    reply.mutable_ride()->set_sequence(1);
    reply.mutable_ride()->set_state(tpb::RIDE_STATE_MATCHING);
    agent_->OnReply(At(0), phone_.Last<rpb::RequestRideRequest>(), {}, reply);
  }

  void Receive(std::int64_t sequence, tpb::RideState state, bool snapshot = false) {
    rpb::WatchRideResponse message;
    tpb::Ride* ride = snapshot ? message.mutable_snapshot() : message.mutable_event()->mutable_ride();
    if (!snapshot) message.mutable_event()->set_sequence(sequence);
    ride->set_ride_id("ride");
    ride->set_sequence(sequence);
    ride->set_state(state);
    agent_->OnUpdate(At(1), message);
  }

  Outcome Failed(int code, const std::string& reason = "") const { return {code, reason, "", {}}; }

  Trip trip_;
  Odds odds_;
  const RiderScript* script_ = nullptr;
  FakePhone phone_;
  std::unique_ptr<RiderAgent> agent_;
};

TEST_F(RiderAgentTest, RequestsWithTheCheapestQuoteOrNone) {
  Make();
  agent_->Begin(At(0));
  ASSERT_EQ(phone_.Calls<rpb::QuoteRideRequest>() + (phone_.Find(RiderTimer::kRequest) != nullptr ? 1 : 0), 1);
  rpb::QuoteRideResponse quotes;
  quotes.add_quotes()->set_product_id("cheap");
  quotes.mutable_quotes(0)->set_quote_token("token");
  agent_->OnReply(At(1), rpb::QuoteRideRequest(), {}, quotes);
  agent_->OnTimer(At(5), RiderTimer::kRequest, 0);
  const auto request = phone_.Last<rpb::RequestRideRequest>();
  EXPECT_EQ(request.product_id(), "cheap");
  EXPECT_EQ(request.quote_token(), "token");
  EXPECT_EQ(request.request_id(), "q1");
  EXPECT_EQ(request.pickup().position().latitude_deg(), 37.78);
  EXPECT_EQ(agent_->request_time(), At(5).domain);
}

TEST_F(RiderAgentTest, RetriesAnUnknownOutcomeUnderTheSameRequestId) {
  Make();
  agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
  const auto first = phone_.Last<rpb::RequestRideRequest>();
  agent_->OnReply(At(1), first, Failed(14), rpb::RequestRideResponse());
  ASSERT_NE(phone_.Find(RiderTimer::kRequest), nullptr);
  EXPECT_FALSE(agent_->done());
  agent_->OnTimer(At(2), RiderTimer::kRequest, 0);
  EXPECT_EQ(phone_.Last<rpb::RequestRideRequest>().SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(agent_->request_time(), At(0).domain);
}

TEST_F(RiderAgentTest, WaitsAsLongAsTheServiceAsks) {
  Make();
  agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
  Outcome overloaded = Failed(8, "OVERLOADED");
  overloaded.retry_after = absl::Seconds(7);
  agent_->OnReply(At(1), phone_.Last<rpb::RequestRideRequest>(), overloaded, rpb::RequestRideResponse());
  EXPECT_EQ(phone_.Find(RiderTimer::kRequest)->after, absl::Seconds(7));
}

TEST_F(RiderAgentTest, TakesARefusalForFinal) {
  Make();
  agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
  agent_->OnReply(At(1), phone_.Last<rpb::RequestRideRequest>(), Failed(3, "INVALID_FIELD"),
                  rpb::RequestRideResponse());
  EXPECT_TRUE(agent_->done());
  EXPECT_TRUE(agent_->asked());
  EXPECT_EQ(agent_->refusal()->reason, "INVALID_FIELD");
}

TEST_F(RiderAgentTest, AsksAgainWithoutAQuoteThatExpired) {
  Make();
  agent_->OnReply(At(0), rpb::QuoteRideRequest(), {}, [] {
    rpb::QuoteRideResponse quotes;
    quotes.add_quotes()->set_quote_token("old");
    return quotes;
  }());
  agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
  agent_->OnReply(At(1), phone_.Last<rpb::RequestRideRequest>(), Failed(9, "QUOTE_EXPIRED"),
                  rpb::RequestRideResponse());
  EXPECT_EQ(phone_.Calls<rpb::RequestRideRequest>(), 2);
  EXPECT_EQ(phone_.Last<rpb::RequestRideRequest>().quote_token(), "");
  EXPECT_EQ(phone_.Last<rpb::RequestRideRequest>().request_id(), "q1");
}

TEST_F(RiderAgentTest, NoticesASecondRideForOneRequest) {
  Acknowledge();
  rpb::RequestRideResponse other;
  other.mutable_ride()->set_ride_id("another");
  agent_->OnReply(At(1), phone_.Last<rpb::RequestRideRequest>(), {}, other);
  EXPECT_EQ(phone_.counts["request_conflicts"], 1);
  EXPECT_EQ(agent_->ride_id(), "ride");
}

TEST_F(RiderAgentTest, WatchesWithoutCursorFirstAndResumesWithTheLastSequence) {
  Acknowledge();
  ASSERT_EQ(phone_.opened.size(), 1u);
  EXPECT_FALSE(phone_.opened[0].has_after_sequence());
  EXPECT_TRUE(phone_.streams_both_ways);
  Receive(1, tpb::RIDE_STATE_MATCHING, true);
  Receive(2, tpb::RIDE_STATE_ENROUTE_TO_PICKUP);
  agent_->OnStreamEnd(At(2), Failed(14));
  const Alarm* alarm = phone_.Find(RiderTimer::kReconnect);
  ASSERT_NE(alarm, nullptr);
  EXPECT_LE(alarm->after, absl::Seconds(2));
  agent_->OnTimer(At(3), RiderTimer::kReconnect, alarm->token);
  ASSERT_EQ(phone_.opened.size(), 2u);
  EXPECT_EQ(phone_.opened[1].after_sequence(), 2);
}

TEST_F(RiderAgentTest, ComesBackAfterDrainingWhenTold) {
  Acknowledge();
  rpb::WatchRideResponse draining;
  draining.mutable_draining()->mutable_retry_after()->set_seconds(3);
  agent_->OnUpdate(At(1), draining);
  agent_->OnStreamEnd(At(1), {});
  EXPECT_EQ(phone_.Find(RiderTimer::kReconnect)->after, absl::Seconds(3));
}

TEST_F(RiderAgentTest, ForgetsItsCursorOnReset) {
  Acknowledge();
  Receive(5, tpb::RIDE_STATE_ENROUTE_TO_PICKUP, true);
  rpb::WatchRideResponse reset;
  reset.mutable_start_over();
  agent_->OnUpdate(At(1), reset);
  agent_->OnStreamEnd(At(2), Failed(14));
  agent_->OnTimer(At(3), RiderTimer::kReconnect, phone_.Find(RiderTimer::kReconnect)->token);
  EXPECT_FALSE(phone_.opened.back().has_after_sequence());
}

TEST_F(RiderAgentTest, IsDoneOnceTheFinalEventWasReceivedAndTheStreamEnded) {
  Acknowledge();
  Receive(1, tpb::RIDE_STATE_MATCHING, true);
  Receive(2, tpb::RIDE_STATE_NO_DRIVERS_AVAILABLE);
  EXPECT_FALSE(agent_->done());
  agent_->OnStreamEnd(At(2), {});
  EXPECT_TRUE(agent_->done());
}

TEST_F(RiderAgentTest, IsNotDoneWhenTheEndCameByAnotherWayThanTheStream) {
  Acknowledge();
  Receive(1, tpb::RIDE_STATE_MATCHING, true);
  agent_->OnStreamEnd(At(2), {});
  EXPECT_FALSE(agent_->done());
  EXPECT_NE(phone_.Find(RiderTimer::kReconnect), nullptr);
}

TEST_F(RiderAgentTest, CancelsOnTheStreamAndByTheTwinWhileItIsDown) {
  Acknowledge();
  agent_->OnTimer(At(1), RiderTimer::kCancel, 0);
  ASSERT_EQ(phone_.sent.size(), 1u);
  EXPECT_TRUE(phone_.sent[0].has_cancel_ride());
  EXPECT_FALSE(phone_.sent[0].command_id().empty());
  // The answer never comes: the stream breaks.
  agent_->OnStreamEnd(At(2), Failed(14));
  ASSERT_NE(phone_.Find(RiderTimer::kCancel), nullptr);
  agent_->OnTimer(At(3), RiderTimer::kCancel, 0);
  EXPECT_EQ(phone_.Last<rpb::CancelRideRequest>().ride_id(), "ride");
}

TEST_F(RiderAgentTest, DropsTheConnectionAndResumes) {
  Acknowledge();
  Receive(1, tpb::RIDE_STATE_MATCHING, true);
  agent_->OnTimer(At(1), RiderTimer::kDrop, 0);
  EXPECT_EQ(phone_.drops, 1);
  agent_->OnTimer(At(5), RiderTimer::kReconnect, phone_.Find(RiderTimer::kReconnect)->token);
  EXPECT_EQ(phone_.opened.back().after_sequence(), 1);
}

TEST_F(RiderAgentTest, SendsHeartbeatsAndLeavesASilentStream) {
  Acknowledge();
  const std::uint64_t stream = phone_.Find(RiderTimer::kWatchdog)->token;
  agent_->OnTimer(At(5), RiderTimer::kWatchdog, stream);
  ASSERT_EQ(phone_.sent.size(), 1u);
  EXPECT_TRUE(phone_.sent[0].has_heartbeat());
  EXPECT_EQ(phone_.drops, 0);
  agent_->OnTimer(At(13), RiderTimer::kWatchdog, stream);
  EXPECT_EQ(phone_.drops, 1);
  EXPECT_EQ(phone_.counts["silent_streams"], 1);
}

TEST_F(RiderAgentTest, CancelsAtTheOddsGiven) {
  odds_.rider_cancel = 1;
  Acknowledge();
  EXPECT_NE(phone_.Find(RiderTimer::kCancel), nullptr);
  phone_.alarms.clear();
  odds_.rider_cancel = 0;
  Acknowledge();
  EXPECT_EQ(phone_.Find(RiderTimer::kCancel), nullptr);
}

// --- With scripts ---

TEST_F(RiderAgentTest, OrdersTheProductOfItsTurnWithNotesAndItsScriptAsName) {
  script_ = FindRiderScript("note");
  Make();
  agent_->OnTimer(At(0), RiderTimer::kQuote, 0);
  EXPECT_EQ(phone_.Last<rpb::QuoteRideRequest>().product_id(), "economy");
  agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
  const auto request = phone_.Last<rpb::RequestRideRequest>();
  EXPECT_EQ(request.product_id(), "economy");
  EXPECT_EQ(request.rider_display_name(), "Sandbox rider: note");
  EXPECT_NE(request.pickup().note(), "");
  EXPECT_NE(request.dropoff().note(), "");

  script_ = FindRiderScript("ride");
  Make();
  agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
  EXPECT_EQ(phone_.Last<rpb::RequestRideRequest>().pickup().note(), "");
}

TEST_F(RiderAgentTest, CancelsInTheStateOfItsScript) {
  script_ = FindRiderScript("cancel-before-pickup");
  Acknowledge();
  EXPECT_EQ(phone_.Find(RiderTimer::kScript), nullptr);
  Receive(2, tpb::RIDE_STATE_ENROUTE_TO_PICKUP);
  ASSERT_NE(phone_.Find(RiderTimer::kScript), nullptr);
  EXPECT_EQ(phone_.Find(RiderTimer::kScript)->after, kRiderCancelsAfter);
  const std::size_t alarms = phone_.alarms.size();
  Receive(3, tpb::RIDE_STATE_ENROUTE_TO_PICKUP);
  EXPECT_EQ(phone_.alarms.size(), alarms) << "the assignment was seen: the same state";
  agent_->OnTimer(At(7), RiderTimer::kScript, 0);
  EXPECT_TRUE(phone_.sent.back().has_cancel_ride());
}

TEST_F(RiderAgentTest, DoesNotCancelOnceTheStateIsOver) {
  script_ = FindRiderScript("cancel-while-matching");
  Acknowledge();
  ASSERT_NE(phone_.Find(RiderTimer::kScript), nullptr);
  Receive(2, tpb::RIDE_STATE_ENROUTE_TO_PICKUP);
  agent_->OnTimer(At(7), RiderTimer::kScript, 0);
  EXPECT_TRUE(phone_.sent.empty());
  EXPECT_EQ(phone_.Calls<rpb::CancelRideRequest>(), 0);
}

TEST_F(RiderAgentTest, CallsOffARideThatIsUnderWayOrOnItsWay) {
  Acknowledge();
  agent_->CallOff();
  EXPECT_TRUE(phone_.sent.back().has_cancel_ride());
  EXPECT_FALSE(agent_->done());

  // The request's answer is outstanding.
  phone_ = FakePhone();
  Make();
  agent_->OnTimer(At(0), RiderTimer::kRequest, 0);
  agent_->CallOff();
  EXPECT_TRUE(phone_.sent.empty());
  rpb::RequestRideResponse reply;
  reply.mutable_ride()->set_ride_id("ride");
  reply.mutable_ride()->set_state(tpb::RIDE_STATE_MATCHING);
  agent_->OnReply(At(0), phone_.Last<rpb::RequestRideRequest>(), {}, reply);
  EXPECT_TRUE(phone_.sent.back().has_cancel_ride());

  // There is no request yet.
  phone_ = FakePhone();
  Make();
  agent_->Begin(At(0));
  agent_->CallOff();
  EXPECT_TRUE(agent_->done());
  agent_->OnTimer(At(5), RiderTimer::kRequest, 0);
  EXPECT_EQ(phone_.Calls<rpb::RequestRideRequest>(), 0);
}

}  // namespace
}  // namespace hail::sim
