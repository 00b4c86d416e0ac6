#include "tests/integration/rider_fixture.h"

#include <chrono>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace hail::testing {

using hail::type::v1::Ride;

std::unique_ptr<grpc::ClientContext> PatientContext(absl::Duration limit) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(limit));
  // Wait for a service that restarts.
  context->set_wait_for_ready(true);
  return context;
}

WireError ErrorOf(const grpc::Status& status) {
  WireError error;
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return error;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    if (any.UnpackTo(&info)) {
      error.reason = info.reason();
      error.domain = info.domain();
      error.metadata.insert(info.metadata().begin(), info.metadata().end());
    } else if (any.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) error.fields.push_back(violation.field());
    } else if (any.Is<google::rpc::RetryInfo>()) {
      error.has_retry = true;
    }
  }
  return error;
}

hail::type::v1::Place FerryBuilding() {
  hail::type::v1::Place place;
  place.mutable_position()->set_latitude_deg(37.7955);
  place.mutable_position()->set_longitude_deg(-122.3937);
  place.set_address("Ferry Building");
  return place;
}

hail::type::v1::Place MissionDolores() {
  hail::type::v1::Place place;
  place.mutable_position()->set_latitude_deg(37.7596);
  place.mutable_position()->set_longitude_deg(-122.4269);
  place.set_address("Mission Dolores");
  return place;
}

RiderClient::RiderClient(const ServiceProcess& rider)
    : rides_(hail::rider::v1::RiderService::NewStub(rider.PublicChannel())),
      assignments_(hail::internal::v1::AssignmentService::NewStub(rider.InternalChannel())) {}

hail::rider::v1::RequestRideRequest RiderClient::RideRequest(const std::string& rider_id,
                                                             const std::string& request_id) {
  hail::rider::v1::RequestRideRequest request;
  request.set_rider_id(rider_id);
  request.set_request_id(request_id);
  *request.mutable_pickup() = FerryBuilding();
  *request.mutable_dropoff() = MissionDolores();
  request.set_product_id("economy");
  return request;
}

Outcome<hail::rider::v1::RequestRideResponse> RiderClient::Request(const hail::rider::v1::RequestRideRequest& request) {
  Outcome<hail::rider::v1::RequestRideResponse> outcome;
  outcome.status = rides_->RequestRide(PatientContext().get(), request, &outcome.response);
  return outcome;
}

Ride RiderClient::MustRequest(const std::string& rider_id, const std::string& request_id) {
  const auto outcome = Request(RideRequest(rider_id, request_id));
  EXPECT_TRUE(outcome.ok()) << outcome.status.error_message();
  return outcome.response.ride();
}

Outcome<hail::rider::v1::GetRideResponse> RiderClient::Get(const std::string& rider_id, const std::string& ride_id) {
  hail::rider::v1::GetRideRequest request;
  request.set_rider_id(rider_id);
  request.set_ride_id(ride_id);
  Outcome<hail::rider::v1::GetRideResponse> outcome;
  outcome.status = rides_->GetRide(PatientContext().get(), request, &outcome.response);
  return outcome;
}

Outcome<hail::rider::v1::CancelRideResponse> RiderClient::Cancel(const std::string& rider_id,
                                                                 const std::string& ride_id) {
  hail::rider::v1::CancelRideRequest request;
  request.set_rider_id(rider_id);
  request.set_ride_id(ride_id);
  request.set_reason(hail::type::v1::CANCEL_REASON_CHANGED_PLANS);
  Outcome<hail::rider::v1::CancelRideResponse> outcome;
  outcome.status = rides_->CancelRide(PatientContext().get(), request, &outcome.response);
  return outcome;
}

Outcome<hail::internal::v1::ConfirmAssignmentResponse> RiderClient::Confirm(const std::string& ride_id,
                                                                            std::int64_t epoch,
                                                                            const std::string& driver_id,
                                                                            const std::string& offer_id) {
  hail::internal::v1::ConfirmAssignmentRequest request;
  request.set_ride_id(ride_id);
  request.set_epoch(epoch);
  request.mutable_driver()->set_driver_id(driver_id);
  request.mutable_driver()->set_display_name("Sam");
  request.mutable_driver()->mutable_vehicle()->set_plate("7ABC123");
  request.mutable_driver()->mutable_vehicle()->set_seats(4);
  request.set_offer_id(offer_id);
  request.mutable_pickup_eta()->set_seconds(180);
  Outcome<hail::internal::v1::ConfirmAssignmentResponse> outcome;
  outcome.status = assignments_->ConfirmAssignment(PatientContext().get(), request, &outcome.response);
  return outcome;
}

Outcome<hail::internal::v1::RecordTripEventResponse> RiderClient::Step(const Ride& ride,
                                                                       hail::internal::v1::TripStep step) {
  hail::internal::v1::RecordTripEventRequest request;
  request.set_driver_id(ride.driver().driver_id());
  request.set_ride_id(ride.ride_id());
  request.set_epoch(ride.epoch());
  request.set_leg(step == hail::internal::v1::TRIP_STEP_COMPLETE ? 1 : 0);
  request.set_step(step);
  Outcome<hail::internal::v1::RecordTripEventResponse> outcome;
  outcome.status = assignments_->RecordTripEvent(PatientContext().get(), request, &outcome.response);
  return outcome;
}

Ride RiderClient::MustConfirm(const Ride& ride, const std::string& driver_id) {
  const auto outcome =
      Confirm(ride.ride_id(), ride.epoch(), driver_id, absl::StrFormat("offer-%s-%d", ride.ride_id(), ride.epoch()));
  EXPECT_TRUE(outcome.ok()) << outcome.status.error_message();
  return outcome.response.ride();
}

std::optional<Ride> RiderClient::WaitForRide(const std::string& rider_id, const std::string& ride_id,
                                             const std::function<bool(const Ride&)>& wanted) {
  Watch watch(*rides_, rider_id, ride_id);
  while (const auto update = watch.Next()) {
    if (update->has_snapshot() && wanted(update->snapshot())) return update->snapshot();
    if (update->has_event() && wanted(update->event().ride())) return update->event().ride();
  }
  ADD_FAILURE() << "ride " << ride_id << " never became what was waited for: " << watch.Finish().error_message();
  return std::nullopt;
}

Watch::Watch(hail::rider::v1::RiderService::Stub& stub, const std::string& rider_id, const std::string& ride_id,
             std::optional<std::int64_t> after_sequence)
    : context_(PatientContext(absl::Seconds(40))) {
  hail::rider::v1::WatchRideRequest request;
  request.set_rider_id(rider_id);
  request.set_ride_id(ride_id);
  if (after_sequence) request.set_after_sequence(*after_sequence);
  reader_ = stub.WatchRide(context_.get(), request);
}

Watch::~Watch() {
  if (finished_) return;
  context_->TryCancel();
  Finish();
}

std::optional<hail::rider::v1::WatchRideResponse> Watch::Next() {
  hail::rider::v1::WatchRideResponse response;
  while (reader_->Read(&response)) {
    if (!response.has_heartbeat()) return response;
  }
  return std::nullopt;
}

grpc::Status Watch::Finish() {
  while (Next()) {
  }
  finished_ = true;
  return reader_->Finish();
}

RiderServiceTest::RiderServiceTest(double time_scale) : rider_("rider-service") {
  rider_.Set("driver_service", driver_.address());
  if (time_scale != 1) {
    const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
    rider_.Set("time_scale", absl::StrFormat("%g", time_scale));
    rider_.Set("time_anchor", absl::StrFormat("%.3f:%.3f", now, now));
  }
}

void RiderServiceTest::SetUp() { ASSERT_TRUE(rider_.Start()); }

}  // namespace hail::testing
