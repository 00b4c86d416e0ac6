// rider-service's dispatch link, and the fate of rides when the link breaks or either end restarts.
#include "gmock/gmock.h"
#include "tests/integration/rider_fixture.h"

namespace hail::testing {
namespace {

using hail::type::v1::Ride;
using ::testing::Contains;
using ::testing::ElementsAre;

class RiderLink : public RiderServiceTest {};

TEST_F(RiderLink, ARequestedRideIsDispatchedWithAllThatADispatcherNeeds) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  const auto start = driver_.WaitForStart(ride.ride_id(), 1);
  ASSERT_TRUE(start.has_value());
  EXPECT_EQ(start->region_id(), "san_francisco");
  EXPECT_EQ(start->product_id(), "economy");
  EXPECT_EQ(start->seats(), 1);
  EXPECT_EQ(start->pickup().position().latitude_deg(), FerryBuilding().position().latitude_deg());
  EXPECT_EQ(start->fare().micros(), ride.fare().quoted().micros());
  EXPECT_GT(start->remaining().seconds(), 100);
  EXPECT_LE(start->remaining().seconds(), 120);
  EXPECT_EQ(start->offer_time().seconds(), 15);
}

TEST_F(RiderLink, AStartIsSentAgainUntilItIsAcknowledged) {
  driver_.set_acknowledge(false);
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  ASSERT_TRUE(driver_.WaitForStart(ride.ride_id(), 1).has_value());
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (driver_.Starts(ride.ride_id(), 1) < 2 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(20));
  EXPECT_GE(driver_.Starts(ride.ride_id(), 1), 2);
}

TEST_F(RiderLink, ACanceledRideIsStopped) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  ASSERT_TRUE(driver_.WaitForStart(ride.ride_id(), 1).has_value());
  ASSERT_TRUE(client.Cancel("ann", ride.ride_id()).ok());
  const auto stop = driver_.WaitForStop(ride.ride_id());
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(stop->reason(), hail::internal::v1::STOP_REASON_RIDE_CANCELED);
  EXPECT_EQ(stop->epoch(), 1);
}

TEST_F(RiderLink, ANewLinkStartsWaitingRidesAtTheNextEpochWithTheirExclusions) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  ASSERT_TRUE(driver_.WaitForStart(ride.ride_id(), 1).has_value());
  driver_.SendSettled(ride.ride_id(), 1, "driver-9", hail::internal::v1::OFFER_OUTCOME_DECLINED);
  // Messages are handled in order: once this ride's stop has arrived, rider-service has handled the refusal before it.
  const Ride marker = client.MustRequest("bob");
  ASSERT_TRUE(driver_.WaitForStart(marker.ride_id(), 1).has_value());
  driver_.SendExhausted(marker.ride_id(), 1);
  driver_.BreakLink();
  ASSERT_TRUE(driver_.WaitForLinks(2));
  const auto start = driver_.WaitForStart(ride.ride_id(), 2);
  ASSERT_TRUE(start.has_value());
  EXPECT_THAT(start->excluded_driver_ids(), Contains("driver-9"));
  // A new epoch is no event.
  const Ride now = client.Get("ann", ride.ride_id()).response.ride();
  EXPECT_EQ(now.epoch(), 2);
  EXPECT_EQ(now.sequence(), 1);
  const auto stale = client.Confirm(ride.ride_id(), 1, "driver-1", "offer-1");
  EXPECT_EQ(ErrorOf(stale.status).reason, "STALE_EPOCH");
  EXPECT_TRUE(client.Confirm(ride.ride_id(), 2, "driver-1", "offer-2").ok());
}

TEST_F(RiderLink, RidesRequestedWhileDriverServiceIsAwayAreDispatchedWhenItIsBack) {
  ASSERT_TRUE(driver_.WaitForLinks(1));
  driver_.Stop();
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  driver_.Start();
  ASSERT_TRUE(driver_.WaitForLinks(2));
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (driver_.Starts(ride.ride_id(), 1) + driver_.Starts(ride.ride_id(), 2) == 0 && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_GE(driver_.Starts(ride.ride_id(), 1) + driver_.Starts(ride.ride_id(), 2), 1);
}

TEST_F(RiderLink, AWorkingSetIsSetRight) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  ASSERT_TRUE(driver_.WaitForStart(ride.ride_id(), 1).has_value());
  // The grace period for recent starts is over by then: the dispatcher reports every 10 s.
  hail::internal::v1::DispatchResponse report;
  auto* surplus = report.mutable_working_set()->add_rides();
  surplus->set_ride_id("ride-nobody-wants");
  surplus->set_epoch(3);
  const absl::Time deadline = absl::Now() + absl::Seconds(18);
  while (driver_.Starts(ride.ride_id(), 2) == 0 && absl::Now() < deadline) {
    driver_.Send(report);
    absl::SleepFor(absl::Milliseconds(500));
  }
  EXPECT_EQ(driver_.Starts(ride.ride_id(), 2), 1) << "the missing ride is dispatched anew";
  const auto stop = driver_.WaitForStop("ride-nobody-wants");
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(stop->epoch(), 3);
}

TEST_F(RiderLink, ARestartInTheMiddleLosesNothing) {
  auto client = Client();
  const Ride waiting = client.MustRequest("ann");
  const Ride driving = client.MustRequest("bob");
  const Ride assigned = client.MustConfirm(driving, "driver-1");
  ASSERT_TRUE(client.Step(assigned, hail::internal::v1::TRIP_STEP_SEEN).ok());
  ASSERT_TRUE(driver_.WaitForStart(waiting.ride_id(), 1).has_value());

  rider_.Kill();
  ASSERT_TRUE(rider_.Start());

  // The waiting ride restarts at the next epoch; the assigned one keeps its state.
  ASSERT_TRUE(driver_.WaitForStart(waiting.ride_id(), 2).has_value());
  auto restarted = Client();
  EXPECT_EQ(restarted.MustRequest("ann").ride_id(), waiting.ride_id()) << "the same request, the same ride";
  using namespace hail::internal::v1;
  for (const TripStep step : {TRIP_STEP_ARRIVE, TRIP_STEP_START, TRIP_STEP_COMPLETE}) {
    const auto outcome = restarted.Step(assigned, step);
    ASSERT_TRUE(outcome.ok()) << outcome.status.error_message();
  }
  Watch watch(restarted.rides(), "bob", driving.ride_id(), 1);
  std::vector<std::int64_t> sequences;
  while (const auto update = watch.Next()) {
    if (update->has_event()) sequences.push_back(update->event().sequence());
  }
  EXPECT_THAT(sequences, ElementsAre(2, 3, 4, 5, 6));
}

// Domain time runs 40 times as fast: a match deadline of 120 s is 3 s.
class RiderLinkFast : public RiderServiceTest {
 protected:
  RiderLinkFast() : RiderServiceTest(40) {}
};

TEST_F(RiderLinkFast, ARideNobodyTakesEndsEvenIfDriverServiceNeverSaysSo) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  const auto ended = client.WaitForRide("ann", ride.ride_id(), [](const Ride& now) {
    return now.state() == hail::type::v1::RIDE_STATE_NO_DRIVERS_AVAILABLE;
  });
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->sequence(), 2);
  // The ride must not end before its deadline.
  EXPECT_GE(ended->end_time().seconds(), ride.match_deadline().seconds());
}

TEST_F(RiderLinkFast, ExhaustedAfterTheDeadlineEndsTheRideAtOnce) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  const auto start = driver_.WaitForStart(ride.ride_id(), 1);
  ASSERT_TRUE(start.has_value());
  Watch watch(client.rides(), "ann", ride.ride_id());
  ASSERT_TRUE(watch.Next()->has_snapshot());
  // The deadline runs on the service's own clock: a test can only wait.
  absl::SleepFor(absl::Seconds(start->remaining().seconds()) / 40 + absl::Milliseconds(100));
  driver_.SendExhausted(ride.ride_id(), 1);
  const auto update = watch.Next();
  ASSERT_TRUE(update && update->has_event());
  EXPECT_EQ(update->event().type(), hail::type::v1::RIDE_EVENT_TYPE_UNFULFILLED);
  EXPECT_TRUE(watch.Finish().ok());
}

TEST_F(RiderLinkFast, AnAssignmentNobodySeesIsGivenToSomebodyElse) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  client.MustConfirm(ride, "driver-1");
  const auto again = client.WaitForRide("ann", ride.ride_id(), [](const Ride& now) {
    return now.state() == hail::type::v1::RIDE_STATE_MATCHING && now.epoch() == 2;
  });
  ASSERT_TRUE(again.has_value());
  const auto start = driver_.WaitForStart(ride.ride_id(), 2);
  ASSERT_TRUE(start.has_value());
}

}  // namespace
}  // namespace hail::testing
