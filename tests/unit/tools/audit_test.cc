#include "tests/tools/hail-sim/audit.h"

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

namespace dpb = hail::driver::v1;
namespace rpb = hail::rider::v1;
namespace tpb = hail::type::v1;

rpb::WatchRideResponse Snapshot(std::int64_t sequence) {
  rpb::WatchRideResponse message;
  message.mutable_snapshot()->set_sequence(sequence);
  return message;
}

rpb::WatchRideResponse Event(std::int64_t sequence) {
  rpb::WatchRideResponse message;
  message.mutable_event()->set_sequence(sequence);
  return message;
}

rpb::WatchRideResponse CaughtUp(std::int64_t sequence) {
  rpb::WatchRideResponse message;
  message.mutable_caught_up()->set_sequence(sequence);
  return message;
}

rpb::WatchRideResponse Reset() {
  rpb::WatchRideResponse message;
  message.mutable_start_over();
  return message;
}

class RiderAuditTest : public ::testing::Test {
 protected:
  void ExpectClean() const {
    EXPECT_EQ(violations_.out_of_order + violations_.duplicate + violations_.missed + violations_.protocol, 0);
  }

  Violations violations_;
  RiderAudit audit_{violations_};
};

TEST_F(RiderAuditTest, IsContentWithAResumedWatch) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Snapshot(1));
  audit_.Receive(Event(2));
  audit_.Opened(2);
  audit_.Receive(Event(3));
  audit_.Receive(CaughtUp(3));
  audit_.Receive(Event(4));
  audit_.Settle(4);
  ExpectClean();
}

TEST_F(RiderAuditTest, IsContentWithAReset) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Snapshot(4));
  audit_.Opened(4);
  audit_.Receive(Reset());
  audit_.Receive(Snapshot(5));
  audit_.Receive(Event(6));
  ExpectClean();
}

TEST_F(RiderAuditTest, CountsAGap) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Snapshot(1));
  audit_.Receive(Event(4));
  EXPECT_EQ(violations_.missed, 2);
}

TEST_F(RiderAuditTest, CountsARepeatAfterResuming) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Snapshot(1));
  audit_.Receive(Event(2));
  audit_.Opened(2);
  audit_.Receive(Event(2));
  EXPECT_EQ(violations_.duplicate, 1);
}

TEST_F(RiderAuditTest, CountsWhatComesTooLate) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Snapshot(3));
  audit_.Receive(Event(2));
  EXPECT_EQ(violations_.out_of_order, 1);
}

TEST_F(RiderAuditTest, CountsASnapshotOfThePast) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Snapshot(3));
  audit_.Opened(3);
  audit_.Receive(Reset());
  audit_.Receive(Snapshot(2));
  EXPECT_EQ(violations_.out_of_order, 1);
}

TEST_F(RiderAuditTest, CountsWhatCaughtUpAndTheFinalReckoningShowToBeMissing) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Snapshot(1));
  audit_.Opened(1);
  audit_.Receive(CaughtUp(2));
  EXPECT_EQ(violations_.missed, 1);
  audit_.Settle(4);
  EXPECT_EQ(violations_.missed, 3);
}

TEST_F(RiderAuditTest, CountsASnapshotOutOfTurnAndAnEventBeforeIt) {
  audit_.Opened(std::nullopt);
  audit_.Receive(Event(1));
  EXPECT_EQ(violations_.protocol, 1);
  audit_.Opened(1);
  audit_.Receive(Snapshot(1));
  EXPECT_EQ(violations_.protocol, 2);
}

dpb::StreamDriverResponse EventMessage(const std::string& ride, std::int64_t sequence, tpb::RideEventType type) {
  dpb::StreamDriverResponse message;
  message.mutable_event()->set_ride_id(ride);
  message.mutable_event()->set_sequence(sequence);
  message.mutable_event()->set_type(type);
  return message;
}

dpb::StreamDriverResponse State(const std::string& ride, std::int64_t sequence) {
  dpb::StreamDriverResponse message;
  message.mutable_snapshot();
  if (!ride.empty()) {
    message.mutable_snapshot()->mutable_ride()->set_ride_id(ride);
    message.mutable_snapshot()->mutable_ride()->set_sequence(sequence);
  }
  return message;
}

class DriverAuditTest : public ::testing::Test {
 protected:
  Violations violations_;
  DriverAudit audit_{violations_};
};

TEST_F(DriverAuditTest, IsContentWithOneRideAfterTheOther) {
  audit_.Receive(State("", 0));
  audit_.Receive(EventMessage("a", 2, tpb::RIDE_EVENT_TYPE_ASSIGNED));
  audit_.Receive(EventMessage("a", 3, tpb::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN));
  audit_.Receive(State("a", 5));
  audit_.Receive(EventMessage("a", 6, tpb::RIDE_EVENT_TYPE_COMPLETED));
  EXPECT_EQ(audit_.live_ride(), "");
  audit_.Receive(EventMessage("b", 2, tpb::RIDE_EVENT_TYPE_ASSIGNED));
  EXPECT_EQ(audit_.live_ride(), "b");
  EXPECT_EQ(violations_.duplicate + violations_.missed + violations_.out_of_order + violations_.double_booked, 0);
}

TEST_F(DriverAuditTest, CountsASecondLiveRide) {
  audit_.Receive(EventMessage("a", 2, tpb::RIDE_EVENT_TYPE_ASSIGNED));
  audit_.Receive(EventMessage("b", 2, tpb::RIDE_EVENT_TYPE_ASSIGNED));
  EXPECT_EQ(violations_.double_booked, 1);
}

TEST_F(DriverAuditTest, CountsRepeatsGapsAndStepsBack) {
  audit_.Receive(EventMessage("a", 2, tpb::RIDE_EVENT_TYPE_ASSIGNED));
  audit_.Receive(EventMessage("a", 2, tpb::RIDE_EVENT_TYPE_ASSIGNED));
  EXPECT_EQ(violations_.duplicate, 1);
  audit_.Receive(EventMessage("a", 5, tpb::RIDE_EVENT_TYPE_STARTED));
  EXPECT_EQ(violations_.missed, 2);
  audit_.Receive(EventMessage("a", 4, tpb::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP));
  EXPECT_EQ(violations_.out_of_order, 1);
}

TEST_F(DriverAuditTest, CountsAnEventThatASnapshotWasAheadOf) {
  audit_.Receive(State("a", 4));
  audit_.Receive(EventMessage("a", 3, tpb::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN));
  EXPECT_EQ(violations_.out_of_order, 1);
  audit_.Receive(State("a", 3));
  EXPECT_EQ(violations_.out_of_order, 2);
}

TEST(AssignmentAudit, KnowsOneDriverForEachEpoch) {
  Violations violations;
  AssignmentAudit audit(violations);
  tpb::Ride ride;
  ride.set_ride_id("a");
  ride.set_epoch(1);
  ride.set_state(tpb::RIDE_STATE_ENROUTE_TO_PICKUP);
  ride.mutable_driver()->set_driver_id("d1");
  audit.OnRide(ride);
  // A driver's own view does not name the driver.
  tpb::Ride own = ride;
  own.clear_driver();
  audit.OnRide(own, "d1");
  // The driver gives the ride up, and another driver takes it.
  ride.set_epoch(2);
  ride.mutable_driver()->set_driver_id("d2");
  audit.OnRide(ride);
  EXPECT_EQ(violations.double_booked, 0);
  audit.OnRide(own, "d3");
  EXPECT_EQ(violations.double_booked, 1);
  // A ride in MATCHING has no driver.
  ride.set_state(tpb::RIDE_STATE_MATCHING);
  ride.mutable_driver()->set_driver_id("d4");
  audit.OnRide(ride);
  EXPECT_EQ(violations.double_booked, 1);
}

}  // namespace
}  // namespace hail::sim
