#include "tests/tools/hail-sim/driver_agent.h"

#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

namespace dpb = hail::driver::v1;
namespace tpb = hail::type::v1;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);
const LatLng kHome{37.78, -122.42};
const LatLng kPickup{37.785, -122.42};
const LatLng kDropoff{37.77, -122.40};

struct Alarm {
  absl::Duration after;
  DriverTimer timer;
  std::uint64_t token;
};

class FakePhone final : public DriverOut {
 public:
  void Call(const DriverCall& call) override { calls.push_back(call); }
  void Open(const dpb::OpenSession& open, bool handover) override {
    opened.push_back(open);
    handovers += handover ? 1 : 0;
  }
  void Send(const dpb::StreamDriverRequest& message) override {
    if (!message.has_location()) sent.push_back(message);
    if (message.has_location()) pings.push_back(message.location());
  }
  void Twin(const dpb::StreamDriverRequest& command) override { twins.push_back(command); }
  void Drop() override { ++drops; }
  void Wake(absl::Duration domain, DriverTimer timer, std::uint64_t token) override {
    alarms.push_back({domain, timer, token});
  }
  void WakeWall(absl::Duration wall, DriverTimer timer, std::uint64_t token) override {
    alarms.push_back({wall, timer, token});
  }
  void FindScript(const std::string& ride_id) override { scripts_asked.push_back(ride_id); }
  void Acts(const std::string&, const RideScript&, DriverPhase, DriverAct act) override { acts.push_back(act); }
  void Count(const std::string& what) override { ++counts[what]; }

  const Alarm* Find(DriverTimer timer) const {
    for (auto alarm = alarms.rbegin(); alarm != alarms.rend(); ++alarm) {
      if (alarm->timer == timer) return &*alarm;
    }
    return nullptr;
  }
  // The last command sent on the stream.
  dpb::StreamDriverRequest Command() const {
    for (auto message = sent.rbegin(); message != sent.rend(); ++message) {
      if (!message->command_id().empty()) return *message;
    }
    ADD_FAILURE() << "no command";
    return {};
  }
  int Commands() const {
    return static_cast<int>(
        std::count_if(sent.begin(), sent.end(), [](const auto& message) { return !message.command_id().empty(); }));
  }

  std::vector<DriverCall> calls;
  std::vector<dpb::OpenSession> opened;
  std::vector<dpb::StreamDriverRequest> sent;
  std::vector<dpb::StreamDriverRequest> twins;
  std::vector<dpb::UpdateLocationRequest> pings;
  std::vector<Alarm> alarms;
  std::vector<std::string> scripts_asked;
  std::vector<DriverAct> acts;
  std::map<std::string, int> counts;
  int handovers = 0;
  int drops = 0;
};

class DriverAgentTest : public ::testing::Test {
 protected:
  DriverAgentTest() {
    odds_.unary = 0;
    odds_.pause = 0;
    odds_.driver_watch = 0;
    Trip trip;
    trip.pickup = kPickup;
    trip.dropoff = kDropoff;
    trip.duration = absl::Seconds(480);
    world_ = World({trip});
  }

  Now At(int seconds) const { return {kStart + absl::Seconds(seconds), kStart + absl::Seconds(seconds)}; }

  // Registered, in session, online.
  void Start(Decisions decisions = Decisions::kDrawn) {
    dpb::Driver profile;
    profile.set_driver_id("d1");
    agent_ = std::make_unique<DriverAgent>(profile, kHome, odds_, &world_, 1, &phone_, decisions);
    agent_->Begin(At(0));
    agent_->OnReply(At(0), phone_.calls.front(), {}, dpb::RegisterDriverResponse());
    Snapshot();
    Answer();
  }

  void Snapshot(const tpb::Ride* ride = nullptr, const dpb::Offer* offer = nullptr,
                dpb::Availability availability = dpb::AVAILABILITY_OFFLINE) {
    dpb::StreamDriverResponse message;
    message.mutable_snapshot()->set_availability(availability);
    message.mutable_snapshot()->set_session_epoch(7);
    if (ride != nullptr) *message.mutable_snapshot()->mutable_ride() = *ride;
    if (offer != nullptr) *message.mutable_snapshot()->mutable_offer() = *offer;
    agent_->OnMessage(At(0), message);
  }

  void Answer(const Outcome& outcome = {}) { agent_->OnResult(At(1), {phone_.Command().command_id(), outcome, {}}); }

  void Offer(const std::string& id) {
    dpb::StreamDriverResponse message;
    message.mutable_offer()->set_offer_id(id);
    message.mutable_offer()->set_ride_id("ride");
    agent_->OnMessage(At(1), message);
  }

  tpb::Ride Ride(tpb::RideState state, std::int64_t sequence, std::int64_t epoch = 1) const {
    tpb::Ride ride;
    ride.set_ride_id("ride");
    ride.set_state(state);
    ride.set_sequence(sequence);
    ride.set_epoch(epoch);
    ride.set_leg(state == tpb::RIDE_STATE_ENROUTE_TO_DROPOFF ? 1 : 0);
    ride.mutable_pickup()->mutable_position()->set_latitude_deg(kPickup.latitude_deg);
    ride.mutable_pickup()->mutable_position()->set_longitude_deg(kPickup.longitude_deg);
    ride.mutable_dropoff()->mutable_position()->set_latitude_deg(kDropoff.latitude_deg);
    ride.mutable_dropoff()->mutable_position()->set_longitude_deg(kDropoff.longitude_deg);
    return ride;
  }

  void Event(tpb::RideEventType type, const tpb::Ride& ride, int seconds = 2) {
    dpb::StreamDriverResponse message;
    message.mutable_event()->set_ride_id(ride.ride_id());
    message.mutable_event()->set_sequence(ride.sequence());
    message.mutable_event()->set_type(type);
    *message.mutable_event()->mutable_ride() = ride;
    agent_->OnMessage(At(seconds), message);
  }

  void Assign() { Event(tpb::RIDE_EVENT_TYPE_ASSIGNED, Ride(tpb::RIDE_STATE_ENROUTE_TO_PICKUP, 2)); }

  void Fire(DriverTimer timer, int seconds) {
    const Alarm* alarm = phone_.Find(timer);
    ASSERT_NE(alarm, nullptr);
    agent_->OnTimer(At(seconds), timer, alarm->token);
  }

  Odds odds_;
  World world_;
  FakePhone phone_;
  std::unique_ptr<DriverAgent> agent_;
};

TEST_F(DriverAgentTest, GoesOnlineAndPingsEveryFourSeconds) {
  Start();
  EXPECT_EQ(phone_.opened.size(), 1u);
  EXPECT_FALSE(phone_.opened[0].has_cursor());
  EXPECT_EQ(phone_.Command().set_availability().availability(), dpb::AVAILABILITY_ONLINE);
  const std::size_t before = phone_.pings.size() + phone_.twins.size();
  agent_->OnTimer(At(4), DriverTimer::kPing, 0);
  EXPECT_EQ(phone_.pings.size() + phone_.twins.size(), before + 1);
  EXPECT_EQ(phone_.Find(DriverTimer::kPing)->after, absl::Seconds(4));
  std::uint64_t last = 0;
  for (const auto& ping : phone_.pings) {
    for (const auto& position : ping.positions()) {
      EXPECT_GT(position.position_seq(), last);
      last = position.position_seq();
    }
  }
}

TEST_F(DriverAgentTest, ReceivesAnOfferAtOnceAndAnswersLater) {
  Start();
  const int before = phone_.Commands();
  Offer("o1");
  EXPECT_EQ(phone_.sent.back().offer_received().offer_id(), "o1");
  EXPECT_EQ(phone_.Commands(), before);
  EXPECT_GT(phone_.Find(DriverTimer::kDecide)->after, absl::ZeroDuration());
  EXPECT_LT(phone_.Find(DriverTimer::kDecide)->after, absl::Seconds(12));
  Fire(DriverTimer::kDecide, 4);
  EXPECT_EQ(phone_.Command().respond_to_offer().offer_id(), "o1");
  EXPECT_EQ(phone_.Command().respond_to_offer().response(), dpb::OFFER_RESPONSE_ACCEPT);
}

TEST_F(DriverAgentTest, AWatchingAppSendsByUnaryCallsAlone) {
  odds_.driver_watch = 1;
  dpb::Driver profile;
  profile.set_driver_id("d1");
  agent_ = std::make_unique<DriverAgent>(profile, kHome, odds_, &world_, 1, &phone_);
  agent_->Begin(At(0));
  agent_->OnReply(At(0), phone_.calls.front(), {}, dpb::RegisterDriverResponse());
  // Before the snapshot the app does not know the epoch that its positions need.
  EXPECT_TRUE(phone_.twins.empty());
  Snapshot();
  EXPECT_EQ(phone_.twins.back().set_availability().driver_id(), "d1");
  EXPECT_EQ(phone_.twins.back().set_availability().availability(), dpb::AVAILABILITY_ONLINE);
  agent_->OnResult(At(1), {phone_.twins.back().command_id(), {}, {}});
  agent_->OnTimer(At(4), DriverTimer::kPing, 0);
  EXPECT_EQ(phone_.twins.back().location().driver_id(), "d1");
  EXPECT_EQ(phone_.twins.back().location().session_epoch(), 7);
  Offer("o1");
  EXPECT_EQ(phone_.twins.back().offer_received().offer_id(), "o1");
  Fire(DriverTimer::kDecide, 4);
  EXPECT_EQ(phone_.twins.back().respond_to_offer().driver_id(), "d1");
  EXPECT_EQ(phone_.twins.back().respond_to_offer().offer_id(), "o1");
  Fire(DriverTimer::kWatchdog, 6);
  EXPECT_TRUE(phone_.sent.empty());
  EXPECT_TRUE(phone_.pings.empty());
}

TEST_F(DriverAgentTest, DeclinesAndIgnoresAtTheOddsGiven) {
  odds_.decline = 1;
  Start();
  Offer("o1");
  Fire(DriverTimer::kDecide, 4);
  EXPECT_EQ(phone_.Command().respond_to_offer().response(), dpb::OFFER_RESPONSE_DECLINE);

  phone_ = FakePhone();
  odds_.ignore = 1;
  Start();
  const int before = phone_.Commands();
  Offer("o1");
  Fire(DriverTimer::kDecide, 4);
  EXPECT_EQ(phone_.Commands(), before);
  EXPECT_EQ(phone_.counts["ignored"], 1);
}

TEST_F(DriverAgentTest, DoesNotAnswerAnOfferThatWasWithdrawn) {
  Start();
  Offer("o1");
  const int before = phone_.Commands();
  dpb::StreamDriverResponse update;
  update.mutable_offer_update()->set_offer_id("o1");
  update.mutable_offer_update()->set_status(dpb::OFFER_STATUS_REVOKED);
  agent_->OnMessage(At(2), update);
  Fire(DriverTimer::kDecide, 4);
  EXPECT_EQ(phone_.Commands(), before);
}

TEST_F(DriverAgentTest, DrivesARideToItsEnd) {
  Start();
  Assign();
  EXPECT_EQ(agent_->ride_id(), "ride");
  EXPECT_TRUE(phone_.Command().advance_trip().has_seen());
  Answer();
  // 556 m at the speed of streets.
  EXPECT_NEAR(absl::ToDoubleSeconds(phone_.Find(DriverTimer::kStep)->after), 118, 3);
  Fire(DriverTimer::kStep, 125);
  EXPECT_TRUE(phone_.Command().advance_trip().has_arrive());
  EXPECT_EQ(phone_.Command().advance_trip().epoch(), 1);
  EXPECT_NEAR(DistanceM(agent_->position(At(125)), kPickup), 0, 1);
  Event(tpb::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP, Ride(tpb::RIDE_STATE_ARRIVED_AT_PICKUP, 4), 126);
  Fire(DriverTimer::kStep, 160);
  EXPECT_TRUE(phone_.Command().advance_trip().has_start());
  EXPECT_EQ(phone_.Command().advance_trip().leg(), 0);
  Event(tpb::RIDE_EVENT_TYPE_STARTED, Ride(tpb::RIDE_STATE_ENROUTE_TO_DROPOFF, 5), 161);
  // The recorded duration, not an estimate.
  EXPECT_EQ(phone_.Find(DriverTimer::kStep)->after, absl::Seconds(480));
  Fire(DriverTimer::kStep, 641);
  EXPECT_TRUE(phone_.Command().advance_trip().has_complete());
  EXPECT_EQ(phone_.Command().advance_trip().leg(), 1);
  Event(tpb::RIDE_EVENT_TYPE_COMPLETED, Ride(tpb::RIDE_STATE_COMPLETED, 6), 642);
  EXPECT_EQ(agent_->ride_id(), "");
  EXPECT_NEAR(DistanceM(agent_->position(At(700)), kDropoff), 0, 1);
  EXPECT_EQ(phone_.counts["trips_driven"], 1);
}

TEST_F(DriverAgentTest, TakesARideItLearnsOfFromASnapshot) {
  Start();
  const tpb::Ride ride = Ride(tpb::RIDE_STATE_ENROUTE_TO_DROPOFF, 5);
  Snapshot(&ride);
  EXPECT_EQ(agent_->ride_id(), "ride");
  Fire(DriverTimer::kStep, 480);
  EXPECT_TRUE(phone_.Command().advance_trip().has_complete());
}

TEST_F(DriverAgentTest, LetsGoOfARideThatTheSnapshotNoLongerHas) {
  Start();
  Assign();
  Snapshot(nullptr, nullptr, dpb::AVAILABILITY_ONLINE);
  EXPECT_EQ(agent_->ride_id(), "");
  const int before = phone_.Commands();
  Fire(DriverTimer::kStep, 120);
  EXPECT_EQ(phone_.Commands(), before);
}

TEST_F(DriverAgentTest, IsNotTalkedBackIntoARideItGaveUp) {
  odds_.driver_cancel = 1;
  Start();
  Assign();
  Answer();
  // The seed decides whether the driver gives up early or late. Both send a command.
  if (phone_.Find(DriverTimer::kGiveUp) == nullptr) {
    Event(tpb::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP, Ride(tpb::RIDE_STATE_ARRIVED_AT_PICKUP, 4));
  }
  Fire(DriverTimer::kGiveUp, 30);
  ASSERT_TRUE(phone_.Command().advance_trip().has_cancel());
  CommandAnswer answer{phone_.Command().command_id(), {}, Ride(tpb::RIDE_STATE_ENROUTE_TO_PICKUP, 3)};
  agent_->OnResult(At(31), answer);
  EXPECT_EQ(agent_->ride_id(), "");
  // An event that was under way when the driver gave up.
  Event(tpb::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN, Ride(tpb::RIDE_STATE_ENROUTE_TO_PICKUP, 3));
  EXPECT_EQ(agent_->ride_id(), "");
}

TEST_F(DriverAgentTest, StepsAreSentAgainUnderTheirIdsAfterAReconnect) {
  Start();
  Assign();
  const std::string seen = phone_.Command().command_id();
  agent_->OnStreamEnd(At(3), {14, "", "", {}});
  const Alarm* alarm = phone_.Find(DriverTimer::kReconnect);
  ASSERT_NE(alarm, nullptr);
  agent_->OnTimer(At(4), DriverTimer::kReconnect, alarm->token);
  EXPECT_EQ(phone_.opened.back().cursor().ride_id(), "ride");
  EXPECT_EQ(phone_.opened.back().cursor().sequence(), 2);
  phone_.sent.clear();
  const tpb::Ride ride = Ride(tpb::RIDE_STATE_ENROUTE_TO_PICKUP, 2);
  Snapshot(&ride, nullptr, dpb::AVAILABILITY_ONLINE);
  EXPECT_EQ(phone_.Command().command_id(), seen);
  EXPECT_TRUE(phone_.Command().advance_trip().has_seen());
}

TEST_F(DriverAgentTest, HoldsStepsBackWhileThereIsNoStream) {
  Start();
  Assign();
  Answer();
  agent_->OnStreamEnd(At(3), {14, "", "", {}});
  const int before = phone_.Commands();
  Fire(DriverTimer::kStep, 120);
  EXPECT_EQ(phone_.Commands(), before);
  agent_->OnTimer(At(121), DriverTimer::kReconnect, phone_.Find(DriverTimer::kReconnect)->token);
  const tpb::Ride ride = Ride(tpb::RIDE_STATE_ENROUTE_TO_PICKUP, 3);
  Snapshot(&ride, nullptr, dpb::AVAILABILITY_ONLINE);
  EXPECT_TRUE(phone_.Command().advance_trip().has_arrive());
}

TEST_F(DriverAgentTest, RetriesAnUnknownOutcomeUnderTheSameId) {
  Start();
  Offer("o1");
  Fire(DriverTimer::kDecide, 4);
  const std::string id = phone_.Command().command_id();
  Answer({14, "PEER_UNAVAILABLE", "", {}});
  phone_.sent.clear();
  Fire(DriverTimer::kRetry, 5);
  EXPECT_EQ(phone_.Command().command_id(), id);
  EXPECT_EQ(agent_->unanswered(), 1u);
}

TEST_F(DriverAgentTest, NeverComesBackByItselfOnceReplaced) {
  Start();
  dpb::StreamDriverResponse replaced;
  replaced.mutable_replaced();
  agent_->OnMessage(At(1), replaced);
  agent_->OnStreamEnd(At(1), {});
  EXPECT_TRUE(agent_->replaced());
  EXPECT_EQ(phone_.Find(DriverTimer::kReconnect), nullptr);
}

TEST_F(DriverAgentTest, ComesBackAfterDrainingWhenTold) {
  Start();
  dpb::StreamDriverResponse draining;
  draining.mutable_draining()->mutable_retry_after()->set_seconds(2);
  agent_->OnMessage(At(1), draining);
  agent_->OnStreamEnd(At(1), {});
  EXPECT_EQ(phone_.Find(DriverTimer::kReconnect)->after, absl::Seconds(2));
  EXPECT_EQ(phone_.counts["drained_streams"], 1);
}

TEST_F(DriverAgentTest, ShowsAnOfferAgainWithoutThinkingTwice) {
  Start();
  Offer("o1");
  dpb::Offer offer;
  offer.set_offer_id("o1");
  const std::size_t alarms = phone_.alarms.size();
  Snapshot(nullptr, &offer, dpb::AVAILABILITY_ONLINE);
  EXPECT_EQ(phone_.counts["offers_shown_again"], 1);
  EXPECT_EQ(phone_.alarms.size(), alarms);
}

TEST_F(DriverAgentTest, UsesTheTwinAtTheOddsGiven) {
  odds_.unary = 1;
  dpb::Driver profile;
  profile.set_driver_id("d1");
  agent_ = std::make_unique<DriverAgent>(profile, kHome, odds_, &world_, 1, &phone_);
  agent_->Begin(At(0));
  agent_->OnReply(At(0), phone_.calls.front(), {}, dpb::RegisterDriverResponse());
  Snapshot();
  ASSERT_EQ(phone_.twins.size(), 1u);
  EXPECT_EQ(phone_.twins[0].set_availability().driver_id(), "d1");
}

TEST_F(DriverAgentTest, LeavesASilentStreamAndKeepsAQuietOneAlive) {
  Start();
  const std::uint64_t stream = phone_.Find(DriverTimer::kWatchdog)->token;
  agent_->OnTimer(At(7), DriverTimer::kWatchdog, stream);
  EXPECT_TRUE(phone_.sent.back().has_heartbeat());
  agent_->OnTimer(At(14), DriverTimer::kWatchdog, stream);
  EXPECT_EQ(phone_.drops, 1);
}

// --- With scripts ---

class ScriptedDriverTest : public DriverAgentTest {
 protected:
  ScriptedDriverTest() { Start(Decisions::kScripted); }

  void Script(const char* name, int declines = 0) { agent_->OnScript(At(2), "ride", *FindRideScript(name), declines); }
  // Offered, accepted, assigned.
  void Take(const char* name, int given_up = 0) {
    Offer("o1");
    Script(name);
    EXPECT_EQ(phone_.Command().respond_to_offer().response(), dpb::OFFER_RESPONSE_ACCEPT);
    tpb::Ride ride = Ride(tpb::RIDE_STATE_ENROUTE_TO_PICKUP, 2);
    ride.set_redispatch_count(given_up);
    Event(tpb::RIDE_EVENT_TYPE_ASSIGNED, ride);
    EXPECT_TRUE(phone_.Command().advance_trip().has_seen());
    phone_.sent.clear();
  }
  void Arrive() {
    Fire(DriverTimer::kStep, 200);
    EXPECT_TRUE(phone_.Command().advance_trip().has_arrive());
    phone_.alarms.clear();
    Event(tpb::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP, Ride(tpb::RIDE_STATE_ARRIVED_AT_PICKUP, 3), 200);
  }
};

TEST_F(ScriptedDriverTest, AnswersOnceTheScriptIsFound) {
  const int before = phone_.Commands();
  Offer("o1");
  EXPECT_EQ(phone_.sent.back().offer_received().offer_id(), "o1") << "the service waits 3 s for it";
  EXPECT_EQ(phone_.scripts_asked, std::vector<std::string>{"ride"});
  EXPECT_EQ(phone_.Commands(), before);
  EXPECT_EQ(phone_.Find(DriverTimer::kDecide), nullptr);
  Script("decline-3", 2);
  EXPECT_EQ(phone_.Command().respond_to_offer().offer_id(), "o1");
  EXPECT_EQ(phone_.Command().respond_to_offer().response(), dpb::OFFER_RESPONSE_DECLINE);
  EXPECT_EQ(phone_.acts, std::vector{DriverAct::kDecline});
}

TEST_F(ScriptedDriverTest, AcceptsAfterThreeDeclined) {
  Offer("o1");
  Script("decline-3", 3);
  EXPECT_EQ(phone_.Command().respond_to_offer().response(), dpb::OFFER_RESPONSE_ACCEPT);
}

TEST_F(ScriptedDriverTest, DoesNotAnswerAnOfferThatIsOver) {
  const int before = phone_.Commands();
  Offer("o1");
  dpb::StreamDriverResponse update;
  update.mutable_offer_update()->set_offer_id("o1");
  update.mutable_offer_update()->set_status(dpb::OFFER_STATUS_REVOKED);
  agent_->OnMessage(At(2), update);
  Script("accept");
  EXPECT_EQ(phone_.Commands(), before);
  EXPECT_TRUE(phone_.acts.empty());
}

TEST_F(ScriptedDriverTest, DrivesFromTheOfferToTheDropoffAndReturns) {
  Take("accept");
  EXPECT_GT(phone_.Find(DriverTimer::kStep)->after, absl::Seconds(60)) << "the way to the pickup is 556 m";
  Arrive();
  EXPECT_EQ(phone_.Find(DriverTimer::kStep)->after, absl::Seconds(10));
  Fire(DriverTimer::kStep, 210);
  EXPECT_TRUE(phone_.Command().advance_trip().has_start());
  Event(tpb::RIDE_EVENT_TYPE_STARTED, Ride(tpb::RIDE_STATE_ENROUTE_TO_DROPOFF, 4), 210);
  Fire(DriverTimer::kStep, 700);
  EXPECT_TRUE(phone_.Command().advance_trip().has_complete());
  Event(tpb::RIDE_EVENT_TYPE_COMPLETED, Ride(tpb::RIDE_STATE_COMPLETED, 5), 700);
  // The one place with demand is the pickup.
  EXPECT_NEAR(DistanceM(agent_->position(At(5'000)), kPickup), 0, 1);
}

TEST_F(ScriptedDriverTest, GivesTheRideUpHalfwayUnlessAnotherDid) {
  Take("cancel-before-arrival");
  EXPECT_EQ(phone_.Find(DriverTimer::kStep), nullptr);
  const absl::Duration half = phone_.Find(DriverTimer::kGiveUp)->after;
  Fire(DriverTimer::kGiveUp, 2 + static_cast<int>(absl::ToInt64Seconds(half)));
  EXPECT_TRUE(phone_.Command().advance_trip().has_cancel());
  const LatLng there = agent_->position(At(2 + static_cast<int>(absl::ToInt64Seconds(half))));
  EXPECT_NEAR(DistanceM(there, kHome), DistanceM(there, kPickup), 20);

  phone_ = FakePhone();
  Start(Decisions::kScripted);
  Take("cancel-before-arrival", 1);
  EXPECT_EQ(phone_.Find(DriverTimer::kGiveUp), nullptr);
  EXPECT_NE(phone_.Find(DriverTimer::kStep), nullptr);
}

TEST_F(ScriptedDriverTest, StandsStillAndReportsPositions) {
  Take("never-move");
  EXPECT_EQ(phone_.Find(DriverTimer::kStep), nullptr);
  EXPECT_EQ(agent_->position(At(3'600)), kHome);
  const std::size_t pings = phone_.pings.size() + phone_.twins.size();
  agent_->OnTimer(At(4), DriverTimer::kPing, 0);
  EXPECT_EQ(phone_.pings.size() + phone_.twins.size(), pings + 1);
}

TEST_F(ScriptedDriverTest, CancelsAtThePickup) {
  Take("cancel-at-pickup");
  Arrive();
  EXPECT_EQ(phone_.Find(DriverTimer::kStep), nullptr);
  Fire(DriverTimer::kGiveUp, 210);
  EXPECT_EQ(phone_.Command().advance_trip().cancel().reason(), tpb::CANCEL_REASON_RIDER_NOT_FOUND);
}

TEST_F(ScriptedDriverTest, WaitsAtThePickupAndGoesOn) {
  Take("wait-at-pickup");
  Arrive();
  EXPECT_EQ(phone_.Command().advance_trip().wait().reason(), tpb::WAIT_REASON_RIDER_NOT_THERE);
  EXPECT_EQ(phone_.Find(DriverTimer::kStep)->after, absl::Minutes(1));
  // The event of the wait is no reason to begin the wait again.
  const int commands = phone_.Commands();
  Event(tpb::RIDE_EVENT_TYPE_WAITING, Ride(tpb::RIDE_STATE_ARRIVED_AT_PICKUP, 4), 201);
  EXPECT_EQ(phone_.Commands(), commands);
  Fire(DriverTimer::kStep, 260);
  EXPECT_TRUE(phone_.Command().advance_trip().has_start());
}

TEST_F(ScriptedDriverTest, FindsTheScriptOfARideFromAnEarlierRun) {
  const tpb::Ride ride = Ride(tpb::RIDE_STATE_ARRIVED_AT_PICKUP, 3);
  Snapshot(&ride, nullptr, dpb::AVAILABILITY_ONLINE);
  EXPECT_EQ(phone_.scripts_asked, std::vector<std::string>{"ride"});
  EXPECT_EQ(phone_.Find(DriverTimer::kStep), nullptr);
  Script("accept");
  EXPECT_NE(phone_.Find(DriverTimer::kStep), nullptr);
  // A second answer changes nothing.
  const std::size_t alarms = phone_.alarms.size();
  Script("accept");
  EXPECT_EQ(phone_.alarms.size(), alarms);
}

TEST_F(ScriptedDriverTest, GoesOffline) {
  agent_->GoOffline(At(3));
  EXPECT_EQ(phone_.Command().set_availability().availability(), dpb::AVAILABILITY_OFFLINE);
  EXPECT_EQ(agent_->unanswered(), 1u);
  Answer();
  EXPECT_EQ(agent_->unanswered(), 0u);
}

}  // namespace
}  // namespace hail::sim
