#include "tests/integration/trip_steps.h"

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/integration/rider_fixture.h"

namespace hail::testing {

using hail::driver::v1::AdvanceTripRequest;
using hail::type::v1::Ride;
using hail::type::v1::RideEvent;

std::unique_ptr<DriverApp> NewDriver(const ServiceProcess& driver_service, const std::string& driver_id) {
  auto app = std::make_unique<DriverApp>(driver_service.PublicChannel(), driver_id);
  EXPECT_TRUE(app->Register().ok());
  return app;
}

void ComeOnline(DriverApp& app, const LatLng& at) {
  app.Open();
  app.SendPosition(at);
  DriverApp::Request request;
  request.set_command_id("come-online");
  request.mutable_set_availability()->set_availability(hail::driver::v1::AVAILABILITY_ONLINE);
  app.Send(request);
}

Ride Accept(DriverApp& app) {
  const auto offer = app.NextOffer();
  app.SendOfferReceived(offer.offer_id());
  const auto result = app.Respond(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  EXPECT_EQ(result.state().ride().ride_id(), offer.ride_id());
  return result.state().ride();
}

Ride Advance(DriverApp& app, const Ride& ride, const TripStep& step, absl::Duration limit) {
  AdvanceTripRequest request;
  request.set_driver_id(app.driver_id());
  request.set_ride_id(ride.ride_id());
  request.set_epoch(ride.epoch());
  step(request);
  hail::driver::v1::AdvanceTripResponse response;
  const absl::Time deadline = absl::Now() + limit;
  while (true) {
    const grpc::Status status = app.stub().AdvanceTrip(PatientContext().get(), request, &response);
    if (status.ok()) return response.ride();
    const bool again = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                       status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (!again || absl::Now() > deadline) {
      ADD_FAILURE() << request.ShortDebugString() << ": " << status.error_message();
      return {};
    }
  }
}

void Seen(AdvanceTripRequest& request) { request.mutable_seen(); }
void Arrive(AdvanceTripRequest& request) { request.mutable_arrive(); }
void Start(AdvanceTripRequest& request) { request.mutable_start(); }
void Complete(AdvanceTripRequest& request) {
  request.set_leg(1);
  request.mutable_complete();
}
void GiveUp(AdvanceTripRequest& request) {
  request.mutable_cancel()->set_reason(hail::type::v1::CANCEL_REASON_VEHICLE_PROBLEM);
}

std::vector<RideEvent> EventsAfter(const ServiceProcess& rider_service, const std::string& rider_id,
                                   const std::string& ride_id, std::int64_t cursor) {
  RiderClient client(rider_service);
  Watch watch(client.rides(), rider_id, ride_id, cursor);
  std::vector<RideEvent> events;
  while (const auto update = watch.Next()) {
    if (update->has_event()) events.push_back(update->event());
  }
  EXPECT_TRUE(watch.Finish().ok());
  return events;
}

std::vector<std::int64_t> SequencesAfter(const ServiceProcess& rider_service, const std::string& rider_id,
                                         const std::string& ride_id, std::int64_t cursor) {
  std::vector<std::int64_t> sequences;
  for (const RideEvent& event : EventsAfter(rider_service, rider_id, ride_id, cursor)) {
    sequences.push_back(event.sequence());
  }
  return sequences;
}

}  // namespace hail::testing
