#include "tests/tools/hailctl/drive.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::ctl {
namespace {

using hail::driver::v1::AdvanceTripRequest;
using hail::driver::v1::StreamDriverRequest;
using hail::driver::v1::StreamDriverResponse;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr LatLng kStand{37.7749, -122.4194};
constexpr LatLng kPickup{37.7780, -122.4194};   // about 345 m north
constexpr LatLng kDropoff{37.7780, -122.4100};  // about 826 m east of the pickup

class DriveSessionTest : public testing::Test {
 protected:
  DriveSession Session(bool accept) {
    return DriveSession({.driver_id = "d", .start = kStand, .accept = accept, .speed_mps = 20},
                        [this](const std::string& line) { said_.push_back(line); });
  }

  static StreamDriverResponse Event(hail::type::v1::RideEventType type, hail::type::v1::RideState state,
                                    std::int64_t sequence, bool seen, int leg = 0) {
    StreamDriverResponse message;
    hail::type::v1::RideEvent& event = *message.mutable_event();
    event.set_ride_id("r");
    event.set_sequence(sequence);
    event.set_type(type);
    hail::type::v1::Ride& ride = *event.mutable_ride();
    ride.set_ride_id("r");
    ride.set_sequence(sequence);
    ride.set_epoch(4);
    ride.set_leg(leg);
    ride.set_state(state);
    if (seen) ride.mutable_seen_time();
    ride.mutable_pickup()->mutable_position()->set_latitude_deg(kPickup.latitude_deg);
    ride.mutable_pickup()->mutable_position()->set_longitude_deg(kPickup.longitude_deg);
    ride.mutable_dropoff()->mutable_position()->set_latitude_deg(kDropoff.latitude_deg);
    ride.mutable_dropoff()->mutable_position()->set_longitude_deg(kDropoff.longitude_deg);
    return message;
  }
  static StreamDriverResponse Assigned() {
    return Event(hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED, hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP, 2, false);
  }
  static StreamDriverResponse SeenEvent() {
    return Event(hail::type::v1::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN, hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP, 3,
                 true);
  }
  static StreamDriverResponse Result(const std::string& command_id, int code = 0) {
    StreamDriverResponse message;
    message.mutable_command_result()->set_command_id(command_id);
    message.mutable_command_result()->mutable_status()->set_code(code);
    return message;
  }

  absl::Time After(double seconds) { return now_ += absl::Seconds(seconds); }

  // The step among `requests`, if any.
  static std::optional<StreamDriverRequest> StepOf(const DriveSession::Requests& requests) {
    for (const StreamDriverRequest& request : requests) {
      if (request.has_advance_trip()) return request;
    }
    return std::nullopt;
  }

  // Ticks once a second until a step is sent; returns the step.
  StreamDriverRequest NextStep(DriveSession& session) {
    for (int i = 0; i < 200; ++i) {
      if (auto step = StepOf(session.OnTick(After(1)))) return *step;
    }
    ADD_FAILURE() << "no step within 200 s";
    return {};
  }

  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  std::vector<std::string> said_;
};

TEST_F(DriveSessionTest, SaysWhichPositionsWereLeftOut) {
  DriveSession session = Session(false);
  session.Open(now_);
  StreamDriverResponse message;
  auto& left_out = *message.mutable_location_result()->add_left_out();
  left_out.set_reason(hail::driver::v1::POSITION_LEFT_OUT_REASON_TOO_FAR);
  left_out.set_count(2);
  auto& others = *message.mutable_location_result()->add_left_out();
  others.set_reason(hail::driver::v1::POSITION_LEFT_OUT_REASON_OLDER);
  others.set_count(1);
  session.OnMessage(message, now_);
  EXPECT_THAT(said_, Contains("positions left out: 2 too far, 1 older"));
}

TEST_F(DriveSessionTest, OpensGoesOnlineAndSaysWhereItIs) {
  DriveSession session = Session(true);
  const auto requests = session.Open(now_);
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[0].open().driver_id(), "d");
  EXPECT_FALSE(requests[0].open().has_cursor());
  EXPECT_EQ(requests[1].set_availability().availability(), hail::driver::v1::AVAILABILITY_ONLINE);
  EXPECT_NE(requests[1].command_id(), "");
  EXPECT_DOUBLE_EQ(requests[2].location().positions(0).location().latitude_deg(), kStand.latitude_deg);
}

TEST_F(DriveSessionTest, PositionsAreNumberedOnwardsOverReconnects) {
  DriveSession session = Session(true);
  const auto first = session.Open(now_)[2].location().positions(0).position_seq();
  const auto second = session.OnTick(After(1))[0].location().positions(0).position_seq();
  const auto third = session.Open(After(1))[2].location().positions(0).position_seq();
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST_F(DriveSessionTest, TellsWhenTheStatusHasChanged) {
  DriveSession session = Session(true);
  session.Open(now_);
  StreamDriverResponse snapshot;
  snapshot.mutable_snapshot()->set_status(hail::driver::v1::DRIVER_STATUS_OFFLINE);
  session.OnMessage(snapshot, now_);
  StreamDriverResponse result = Result("1");
  result.mutable_command_result()->mutable_state()->set_status(hail::driver::v1::DRIVER_STATUS_AVAILABLE);
  session.OnMessage(result, now_);
  session.OnMessage(result, now_);
  EXPECT_THAT(said_, testing::ElementsAre("now: offline", "now: available"));

  // The stream sends the state unprompted, and only once.
  StreamDriverResponse changed;
  changed.mutable_state()->set_status(hail::driver::v1::DRIVER_STATUS_OFFLINE);
  changed.mutable_state()->set_blocked_by(hail::driver::v1::BLOCKED_BY_STALE_POSITION);
  said_.clear();
  session.OnMessage(changed, now_);
  session.OnMessage(changed, now_);
  EXPECT_THAT(said_, testing::ElementsAre("now: offline, stale_position"));
}

TEST_F(DriveSessionTest, AnOfferIsReceivedAndAccepted) {
  DriveSession session = Session(true);
  session.Open(now_);
  StreamDriverResponse offer;
  offer.mutable_offer()->set_offer_id("o");
  const auto requests = session.OnMessage(offer, now_);
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].offer_received().offer_id(), "o");
  EXPECT_EQ(requests[1].respond_to_offer().offer_id(), "o");
  EXPECT_EQ(requests[1].respond_to_offer().response(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
}

TEST_F(DriveSessionTest, WithoutAcceptAnOfferIsOnlyShown) {
  DriveSession session = Session(false);
  session.Open(now_);
  StreamDriverResponse offer;
  offer.mutable_offer()->set_offer_id("o");
  const auto requests = session.OnMessage(offer, now_);
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].offer_received().offer_id(), "o");
  EXPECT_THAT(said_, Contains(HasSubstr("hailctl driver respond d o accept")));
}

TEST_F(DriveSessionTest, APendingOfferInTheSnapshotIsAnswered) {
  DriveSession session = Session(true);
  session.Open(now_);
  StreamDriverResponse snapshot;
  snapshot.mutable_snapshot()->mutable_offer()->set_offer_id("o");
  snapshot.mutable_snapshot()->mutable_offer()->set_status(hail::driver::v1::OFFER_STATUS_CONFIRMING);
  EXPECT_THAT(session.OnMessage(snapshot, now_), SizeIs(0));
  snapshot.mutable_snapshot()->mutable_offer()->set_status(hail::driver::v1::OFFER_STATUS_PENDING);
  EXPECT_THAT(session.OnMessage(snapshot, now_), SizeIs(2));
}

TEST_F(DriveSessionTest, DrivesARideToItsEnd) {
  DriveSession session = Session(true);
  session.Open(now_);
  session.OnMessage(Assigned(), now_);

  StreamDriverRequest step = NextStep(session);
  EXPECT_EQ(step.advance_trip().action_case(), AdvanceTripRequest::kSeen);
  EXPECT_EQ(step.advance_trip().ride_id(), "r");
  EXPECT_EQ(step.advance_trip().epoch(), 4);
  session.OnMessage(SeenEvent(), now_);
  session.OnMessage(Result(step.command_id()), now_);

  const absl::Time left = now_;
  step = NextStep(session);
  EXPECT_EQ(step.advance_trip().action_case(), AdvanceTripRequest::kArrive);
  EXPECT_LT(DistanceM(session.position(), kPickup), 20);
  // 345 m at 20 m/s.
  EXPECT_GT(now_ - left, absl::Seconds(14));
  EXPECT_LT(now_ - left, absl::Seconds(20));
  session.OnMessage(
      Event(hail::type::v1::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP, hail::type::v1::RIDE_STATE_ARRIVED_AT_PICKUP, 4, true),
      now_);
  session.OnMessage(Result(step.command_id()), now_);

  const absl::Time arrived = now_;
  step = NextStep(session);
  EXPECT_EQ(step.advance_trip().action_case(), AdvanceTripRequest::kStart);
  EXPECT_GE(now_ - arrived, absl::Seconds(3));
  session.OnMessage(
      Event(hail::type::v1::RIDE_EVENT_TYPE_STARTED, hail::type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF, 5, true, 1), now_);
  session.OnMessage(Result(step.command_id()), now_);

  step = NextStep(session);
  EXPECT_EQ(step.advance_trip().action_case(), AdvanceTripRequest::kComplete);
  EXPECT_EQ(step.advance_trip().leg(), 1);
  EXPECT_LT(DistanceM(session.position(), kDropoff), 20);
  EXPECT_EQ(session.completed(), 0);
  session.OnMessage(Event(hail::type::v1::RIDE_EVENT_TYPE_COMPLETED, hail::type::v1::RIDE_STATE_COMPLETED, 6, true, 1),
                    now_);
  EXPECT_EQ(session.completed(), 1);
  EXPECT_FALSE(session.has_ride());
}

TEST_F(DriveSessionTest, OneStepIsUnderWayAtATimeAndSentAgainOnTheNextStream) {
  DriveSession session = Session(true);
  session.Open(now_);
  session.OnMessage(Assigned(), now_);
  const StreamDriverRequest step = NextStep(session);
  EXPECT_FALSE(StepOf(session.OnTick(After(1))).has_value());
  session.Open(After(1));
  const auto again = StepOf(session.OnTick(After(1)));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->advance_trip().action_case(), AdvanceTripRequest::kSeen);
  EXPECT_NE(again->command_id(), step.command_id());
}

TEST_F(DriveSessionTest, AnAnswerTellsTheRideBeforeItsEventDoes) {
  DriveSession session = Session(true);
  session.Open(now_);
  session.OnMessage(Assigned(), now_);
  StreamDriverResponse result = Result(NextStep(session).command_id());
  *result.mutable_command_result()->mutable_state()->mutable_ride() = SeenEvent().event().ride();
  session.OnMessage(result, now_);
  EXPECT_EQ(NextStep(session).advance_trip().action_case(), AdvanceTripRequest::kArrive);
}

TEST_F(DriveSessionTest, WithoutAcceptOnlySeenIsSent) {
  DriveSession session = Session(false);
  session.Open(now_);
  session.OnMessage(Assigned(), now_);
  EXPECT_EQ(NextStep(session).advance_trip().action_case(), AdvanceTripRequest::kSeen);
  session.Open(now_);
  session.OnMessage(SeenEvent(), now_);
  for (int i = 0; i < 60; ++i) EXPECT_FALSE(StepOf(session.OnTick(After(1))).has_value());
  EXPECT_EQ(session.position(), kStand);
}

TEST_F(DriveSessionTest, ResumesWithTheLastEventsCursor) {
  DriveSession session = Session(true);
  session.Open(now_);
  session.OnMessage(SeenEvent(), now_);
  const StreamDriverRequest open = session.Open(now_)[0];
  EXPECT_EQ(open.open().cursor().ride_id(), "r");
  EXPECT_EQ(open.open().cursor().sequence(), 3);

  StreamDriverResponse reset;
  reset.mutable_start_over();
  session.OnMessage(reset, now_);
  EXPECT_FALSE(session.Open(now_)[0].open().has_cursor());
}

TEST_F(DriveSessionTest, ARideThatIsTakenAwayIsLeftAlone) {
  DriveSession session = Session(true);
  session.Open(now_);
  session.OnMessage(SeenEvent(), now_);
  session.OnMessage(Event(hail::type::v1::RIDE_EVENT_TYPE_CANCELED, hail::type::v1::RIDE_STATE_CANCELED, 4, true),
                    now_);
  EXPECT_FALSE(session.has_ride());
  EXPECT_EQ(session.completed(), 0);
  const LatLng stands = session.position();
  EXPECT_FALSE(StepOf(session.OnTick(After(30))).has_value());
  EXPECT_EQ(session.position(), stands);
}

TEST_F(DriveSessionTest, ASnapshotWithoutARideEndsTheRideInHand) {
  DriveSession session = Session(true);
  session.Open(now_);
  session.OnMessage(SeenEvent(), now_);
  StreamDriverResponse snapshot;
  snapshot.mutable_snapshot();
  session.OnMessage(snapshot, now_);
  EXPECT_FALSE(session.has_ride());
}

TEST_F(DriveSessionTest, ReplacedIsForGood) {
  DriveSession session = Session(true);
  session.Open(now_);
  EXPECT_FALSE(session.replaced());
  StreamDriverResponse replaced;
  replaced.mutable_replaced();
  session.OnMessage(replaced, now_);
  EXPECT_TRUE(session.replaced());
}

TEST_F(DriveSessionTest, ARefusalIsTold) {
  DriveSession session = Session(true);
  session.Open(now_);
  StreamDriverResponse result = Result("1", 9);
  result.mutable_command_result()->mutable_status()->set_message("the offer's time is over");
  session.OnMessage(result, now_);
  EXPECT_THAT(said_, Contains(HasSubstr("the offer's time is over")));
}

}  // namespace
}  // namespace hail::ctl
