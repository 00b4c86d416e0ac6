// The internal unary calls of rider-service: the commit point of assignments, the driver's steps, the operator's.
#include "gmock/gmock.h"
#include "tests/integration/rider_fixture.h"

namespace hail::testing {
namespace {

using grpc::StatusCode;
using hail::type::v1::Ride;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RiderAssignments : public RiderServiceTest {};

TEST_F(RiderAssignments, ARideIsDrivenFromConfirmationToCompletion) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(requested, "driver-1");
  EXPECT_EQ(assigned.state(), hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP);
  EXPECT_EQ(assigned.rider_id(), "") << "drivers do not see the rider's id";
  EXPECT_EQ(assigned.request_id(), "");
  EXPECT_NE(assigned.offer_id(), "");
  using namespace hail::internal::v1;
  for (const TripStep step : {TRIP_STEP_SEEN, TRIP_STEP_ARRIVE, TRIP_STEP_START, TRIP_STEP_COMPLETE}) {
    const auto outcome = client.Step(assigned, step);
    ASSERT_TRUE(outcome.ok()) << TripStep_Name(step) << ": " << outcome.status.error_message();
    // The step was already taken: returns the ride as it is, without another event.
    const auto again = client.Step(assigned, step);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again.response.ride().sequence(), outcome.response.ride().sequence()) << TripStep_Name(step);
  }
  const Ride ended = client.Get("ann", requested.ride_id()).response.ride();
  EXPECT_EQ(ended.state(), hail::type::v1::RIDE_STATE_COMPLETED);
  EXPECT_EQ(ended.sequence(), 6);
  EXPECT_EQ(ended.fare().final().micros(), ended.fare().quoted().micros());
  EXPECT_EQ(ended.driver().driver_id(), "driver-1");
  EXPECT_EQ(ended.offer_id(), "") << "riders do not see offers";
  const auto late = client.Cancel("ann", requested.ride_id());
  EXPECT_EQ(late.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(late.status).reason, "RIDE_ENDED");
}

TEST_F(RiderAssignments, AStepThatIsNotNextIsRefused) {
  auto client = Client();
  const Ride assigned = client.MustConfirm(client.MustRequest("ann"), "driver-1");
  const auto ahead = client.Step(assigned, hail::internal::v1::TRIP_STEP_COMPLETE);
  EXPECT_EQ(ahead.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(ahead.status).reason, "ILLEGAL_TRANSITION");
  Ride foreign = assigned;
  foreign.mutable_driver()->set_driver_id("driver-2");
  const auto not_mine = client.Step(foreign, hail::internal::v1::TRIP_STEP_ARRIVE);
  EXPECT_EQ(not_mine.status.error_code(), StatusCode::NOT_FOUND);
  const auto unset = client.Step(assigned, hail::internal::v1::TRIP_STEP_UNSPECIFIED);
  EXPECT_EQ(unset.status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(ErrorOf(unset.status).fields, ElementsAre("step"));
}

TEST_F(RiderAssignments, ADriverWhoGivesUpLosesTheRideForGood) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(requested, "driver-1");
  ASSERT_TRUE(client.Step(assigned, hail::internal::v1::TRIP_STEP_CANCEL).ok());
  const Ride again = client.Get("ann", requested.ride_id()).response.ride();
  EXPECT_EQ(again.state(), hail::type::v1::RIDE_STATE_MATCHING);
  EXPECT_EQ(again.epoch(), 2);
  EXPECT_EQ(again.redispatch_count(), 1);
  EXPECT_FALSE(again.has_driver());
  const auto start = driver_.WaitForStart(requested.ride_id(), 2);
  ASSERT_TRUE(start.has_value());
  EXPECT_THAT(start->excluded_driver_ids(), ElementsAre("driver-1"));

  const auto excluded = client.Confirm(requested.ride_id(), 2, "driver-1", "offer-again");
  EXPECT_EQ(ErrorOf(excluded.status).reason, "DRIVER_EXCLUDED");
  const auto stale = client.Confirm(requested.ride_id(), 1, "driver-2", "offer-late");
  EXPECT_EQ(stale.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(stale.status).reason, "STALE_EPOCH");
  const auto ended = client.Step(assigned, hail::internal::v1::TRIP_STEP_ARRIVE);
  EXPECT_EQ(ErrorOf(ended.status).reason, "ASSIGNMENT_ENDED");
  EXPECT_TRUE(client.Confirm(requested.ride_id(), 2, "driver-2", "offer-2").ok());
}

TEST_F(RiderAssignments, AConfirmationIsReplayedAndNeverGivenTwice) {
  auto client = Client();
  const Ride ann = client.MustRequest("ann");
  const Ride bob = client.MustRequest("bob");
  ASSERT_TRUE(client.Confirm(ann.ride_id(), 1, "driver-1", "offer-1").ok());
  const auto replay = client.Confirm(ann.ride_id(), 1, "driver-1", "offer-1");
  ASSERT_TRUE(replay.ok());
  EXPECT_EQ(replay.response.ride().sequence(), 2);

  const auto second_driver = client.Confirm(ann.ride_id(), 1, "driver-2", "offer-2");
  EXPECT_EQ(second_driver.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(second_driver.status).reason, "RIDE_NOT_MATCHING");
  const auto second_ride = client.Confirm(bob.ride_id(), 1, "driver-1", "offer-3");
  EXPECT_EQ(second_ride.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(second_ride.status).reason, "DRIVER_BUSY");
  EXPECT_EQ(client.Confirm("no-such-ride", 1, "driver-3", "offer-4").status.error_code(), StatusCode::NOT_FOUND);

  // The replay is answered although the ride has been cancelled since.
  ASSERT_TRUE(client.Cancel("ann", ann.ride_id()).ok());
  const auto after = client.Confirm(ann.ride_id(), 1, "driver-1", "offer-1");
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after.response.ride().state(), hail::type::v1::RIDE_STATE_CANCELED);

  hail::internal::v1::FindAssignmentRequest find;
  find.set_driver_id("driver-1");
  find.set_offer_id("offer-1");
  hail::internal::v1::FindAssignmentResponse found;
  ASSERT_TRUE(client.assignments().FindAssignment(PatientContext().get(), find, &found).ok());
  EXPECT_EQ(found.ride().ride_id(), ann.ride_id());
  find.set_driver_id("driver-2");
  EXPECT_EQ(client.assignments().FindAssignment(PatientContext().get(), find, &found).error_code(),
            StatusCode::NOT_FOUND);
}

TEST_F(RiderAssignments, RidersAreToldTheDriverAndPayForCancelingLate) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(requested, "driver-1");
  ASSERT_TRUE(client.Step(assigned, hail::internal::v1::TRIP_STEP_ARRIVE).ok());
  ASSERT_TRUE(client.Step(assigned, hail::internal::v1::TRIP_STEP_START).ok());
  const Ride seen = client.Get("ann", requested.ride_id()).response.ride();
  EXPECT_EQ(seen.driver().display_name(), "Sam");
  EXPECT_EQ(seen.driver().vehicle().plate(), "7ABC123");
  EXPECT_EQ(seen.pickup_eta().seconds(), 180);
  const auto canceled = client.Cancel("ann", requested.ride_id());
  ASSERT_TRUE(canceled.ok());
  EXPECT_EQ(canceled.response.ride().fare().cancellation_fee().micros(), requested.fare().quoted().micros())
      << "who gets out on the way has had a ride";
}

TEST_F(RiderAssignments, ADriversRidesAreListedByAssignment) {
  auto client = Client();
  std::vector<std::string> driven;
  for (const std::string rider : {"ann", "bob", "cat"}) {
    const Ride requested = client.MustRequest(rider);
    client.MustConfirm(requested, "driver-1");
    ASSERT_TRUE(client.Cancel(rider, requested.ride_id()).ok());
    driven.insert(driven.begin(), requested.ride_id());
  }
  hail::internal::v1::ListDriverRidesRequest request;
  request.set_driver_id("driver-1");
  request.set_page_size(2);
  hail::internal::v1::ListDriverRidesResponse page;
  std::vector<std::string> listed;
  do {
    ASSERT_TRUE(client.assignments().ListDriverRides(PatientContext().get(), request, &page).ok());
    for (const Ride& ride : page.rides()) {
      listed.push_back(ride.ride_id());
      EXPECT_EQ(ride.rider_id(), "");
    }
    request.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  EXPECT_EQ(listed, driven);
}

TEST_F(RiderAssignments, AnOperatorReadsWhatRiderAndDriverRead) {
  auto client = Client();
  auto order = RiderClient::RideRequest("ann", "request-1");
  (*order.mutable_labels())["trip"] = "7";
  const auto requested = client.Request(order);
  ASSERT_TRUE(requested.ok());
  const Ride assigned = client.MustConfirm(requested.response.ride(), "driver-1");
  EXPECT_TRUE(assigned.labels().empty()) << "drivers do not see labels";
  hail::internal::v1::GetRideRequest request;
  request.set_ride_id(assigned.ride_id());
  hail::internal::v1::GetRideResponse response;
  ASSERT_TRUE(client.assignments().GetRide(PatientContext().get(), request, &response).ok());
  EXPECT_EQ(response.ride().rider_id(), "ann");
  EXPECT_EQ(response.ride().labels().at("trip"), "7");
  EXPECT_EQ(response.ride().offer_id(), assigned.offer_id());
  EXPECT_EQ(response.ride().sequence(), assigned.sequence());
  request.set_ride_id("no-such-ride");
  EXPECT_EQ(ErrorOf(client.assignments().GetRide(PatientContext().get(), request, &response)).reason, "RIDE_NOT_FOUND");
}

TEST_F(RiderAssignments, AnOperatorEndsARideOnce) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  client.MustConfirm(requested, "driver-1");
  hail::internal::v1::ResolveRideRequest request;
  request.set_ride_id(requested.ride_id());
  request.set_resolution(hail::internal::v1::RESOLUTION_CANCEL);
  hail::internal::v1::ResolveRideResponse response;
  const grpc::Status no_note = client.assignments().ResolveRide(PatientContext().get(), request, &response);
  EXPECT_EQ(no_note.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(ErrorOf(no_note).fields, ElementsAre("note"));
  request.set_note("driver's phone is broken; ticket 12");
  for (int repeat = 0; repeat < 2; ++repeat) {
    ASSERT_TRUE(client.assignments().ResolveRide(PatientContext().get(), request, &response).ok());
    EXPECT_EQ(response.ride().state(), hail::type::v1::RIDE_STATE_CANCELED);
    EXPECT_EQ(response.ride().cancellation().reason(), hail::type::v1::CANCEL_REASON_OPERATOR);
    EXPECT_EQ(response.ride().sequence(), 3);
    EXPECT_EQ(response.ride().cancellation().note(), request.note());
  }
  // The note is for operators: only their answer and the log have it, with the operator's name.
  EXPECT_EQ(client.Get("ann", requested.ride_id()).response.ride().cancellation().note(), "");
  const std::string log = rider_.Log();
  EXPECT_THAT(log, HasSubstr(R"("event":"ride_resolved","ride_id":")" + requested.ride_id() +
                             R"(","resolution":"RESOLUTION_CANCEL","note":"driver's phone is broken; ticket 12",)" +
                             R"("sequence":3,"peer":"ipv4:127.0.0.1:)"));
  EXPECT_THAT(log, HasSubstr(R"("event":"ride_resolution_refused")"));
  EXPECT_THAT(log, HasSubstr(R"("canceled_by":"operator")"));
  // The driver is free again.
  EXPECT_TRUE(client.Confirm(client.MustRequest("bob").ride_id(), 1, "driver-1", "offer-9").ok());
}

}  // namespace
}  // namespace hail::testing
