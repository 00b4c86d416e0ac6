// Two driver-services on one PostgreSQL and one NATS: rider-service's dispatch link goes to the first, drivers are at
// either.
#include <map>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "hail/internal/v1/privacy_service.grpc.pb.h"
#include "tests/engines/nats_server.h"
#include "tests/engines/postgres_server.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
using hail::type::v1::Ride;
using hail::type::v1::RIDE_STATE_COMPLETED;

class DriverReplicas : public ::testing::Test {
 protected:
  DriverReplicas() {
    nats_.Start();
    const std::map<std::string, std::string> cluster = {{"store.url", postgres_.url()}, {"bus.url", nats_.url()}};
    services_ =
        std::make_unique<BothServices>(std::map<std::string, std::string>{{"store.url", postgres_.url()}}, cluster);
    second_ = std::make_unique<ServiceProcess>("driver-service", cluster);
    second_->Set("rider_service", services_->rider.internal_address());
    EXPECT_TRUE(second_->Start());
  }

  ServiceProcess& first() { return services_->driver; }
  ServiceProcess& second() { return *second_; }

  // A driver who is AVAILABLE at the second replica and reachable from the first.
  std::unique_ptr<DriverApp> AtSecond(const std::string& driver_id) {
    auto app = NewDriver(second(), driver_id);
    app->GoAvailable(kNearFerryBuilding);
    DriverApp elsewhere(first().PublicChannel(), driver_id);
    elsewhere.AwaitState(
        [](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; }, "reached");
    app->SendPosition(kNearFerryBuilding);
    return app;
  }

  // GetDriverState at `service`.
  grpc::Status StateAt(const ServiceProcess& service, const std::string& driver_id,
                       driver::GetDriverStateResponse* response) {
    DriverApp app(service.PublicChannel(), driver_id);
    driver::GetDriverStateRequest request;
    request.set_driver_id(driver_id);
    return app.stub().GetDriverState(CallContext().get(), request, response);
  }

  // SetAvailability at `service`: a call that needs the session.
  grpc::Status OnlineAt(const ServiceProcess& service, const std::string& driver_id,
                        driver::SetAvailabilityResponse* response) {
    DriverApp app(service.PublicChannel(), driver_id);
    driver::SetAvailabilityRequest request;
    request.set_driver_id(driver_id);
    request.set_availability(driver::AVAILABILITY_ONLINE);
    return app.stub().SetAvailability(CallContext().get(), request, response);
  }

  PostgresServer postgres_;
  NatsServer nats_;
  std::unique_ptr<BothServices> services_;
  std::unique_ptr<ServiceProcess> second_;
};

TEST_F(DriverReplicas, ADriverIsOfferedARideThatAnotherReplicaDispatchesAndMovesThereWithIt) {
  const auto app = AtSecond("driver-1");
  RiderClient client(services_->rider);
  const Ride requested = client.MustRequest("ann");
  const Ride ride = Accept(*app);
  EXPECT_EQ(ride.ride_id(), requested.ride_id());
  Advance(*app, ride, Seen);
  Advance(*app, ride, Arrive);

  DriverApp moved(first().PublicChannel(), "driver-1");
  moved.Open();
  const auto snapshot = moved.Next([](const DriverApp::Response& r) { return r.has_snapshot(); }, "snapshot");
  EXPECT_EQ(snapshot.snapshot().ride().ride_id(), ride.ride_id());
  app->Next([](const DriverApp::Response& r) { return r.has_replaced(); }, "replaced");
  EXPECT_TRUE(app->AwaitEnd().ok());
  Advance(moved, ride, Start);
  Advance(moved, ride, Complete);
  moved.NextEvent(hail::type::v1::RIDE_EVENT_TYPE_COMPLETED);
  EXPECT_TRUE(
      client.WaitForRide("ann", ride.ride_id(), [](const Ride& ride) { return ride.state() == RIDE_STATE_COMPLETED; })
          .has_value());

  // The driver gets the next offer there.
  moved.SendPosition(kNearFerryBuilding);
  client.MustRequest("bob");
  Accept(moved);
}

TEST_F(DriverReplicas, AProfileIsReplacedWhereTheSessionIsAndALookTakesNoneAway) {
  const auto app = AtSecond("driver-1");
  driver::RegisterDriverRequest other;
  other.mutable_driver()->set_driver_id("driver-1");
  other.mutable_driver()->set_display_name("Ada the second");
  other.mutable_driver()->set_region_id("san_francisco");
  other.mutable_driver()->mutable_vehicle()->set_plate("OTHER");
  other.mutable_driver()->mutable_vehicle()->set_seats(4);
  other.mutable_driver()->add_product_ids("economy");
  DriverApp elsewhere(first().PublicChannel(), "driver-1");
  driver::RegisterDriverResponse replaced;
  const grpc::Status status = elsewhere.stub().RegisterDriver(CallContext().get(), other, &replaced);
  ASSERT_TRUE(status.ok()) << status.error_message();
  RiderClient client(services_->rider);
  const Ride requested = client.MustRequest("ann");
  const Ride ride = Accept(*app);
  EXPECT_EQ(ride.ride_id(), requested.ride_id());
  EXPECT_EQ(client.Get("ann", ride.ride_id()).response.ride().driver().vehicle().plate(), "OTHER");

  // Neither replica has a session for this driver.
  ASSERT_TRUE(DriverApp(second().PublicChannel(), "driver-2").Register().ok());
  driver::GetDriverStateResponse look;
  for (const ServiceProcess* service : {&first(), &second()}) {
    ASSERT_TRUE(StateAt(*service, "driver-2", &look).ok());
    EXPECT_EQ(look.state().session_epoch(), 0);
  }
}

TEST_F(DriverReplicas, AnUpdateIsMadeWhereTheSessionIs) {
  const auto app = AtSecond("driver-1");
  DriverApp elsewhere(first().PublicChannel(), "driver-1");
  const auto update = [&](const std::string& plate) {
    driver::UpdateDriverRequest request;
    request.mutable_driver()->set_driver_id("driver-1");
    request.mutable_driver()->mutable_vehicle()->set_plate(plate);
    request.mutable_driver()->mutable_vehicle()->set_seats(4);
    request.mutable_update_mask()->add_paths("vehicle");
    driver::UpdateDriverResponse response;
    return elsewhere.stub().UpdateDriver(CallContext().get(), request, &response);
  };
  const grpc::Status updated = update("OTHER");
  ASSERT_TRUE(updated.ok()) << updated.error_message();
  RiderClient client(services_->rider);
  client.MustRequest("ann");
  const Ride ride = Accept(*app);
  const auto shown = client.Get("ann", ride.ride_id()).response.ride().driver();
  EXPECT_EQ(shown.vehicle().plate(), "OTHER");
  EXPECT_EQ(shown.display_name(), "Ada");
  EXPECT_EQ(ErrorOf(update("ANOTHER")).reason, "DRIVER_BUSY");
  EXPECT_TRUE(update("OTHER").ok()) << "the same again";
}

TEST_F(DriverReplicas, UnaryCallsReachTheSessionWhereverTheyLand) {
  const auto app = AtSecond("driver-1");
  driver::GetDriverStateResponse here, there;
  ASSERT_TRUE(StateAt(second(), "driver-1", &here).ok());
  ASSERT_TRUE(StateAt(first(), "driver-1", &there).ok());
  EXPECT_EQ(here.state().session_epoch(), there.state().session_epoch()) << "one session";

  DriverApp elsewhere(first().PublicChannel(), "driver-1");
  driver::SetAvailabilityRequest offline;
  offline.set_driver_id("driver-1");
  offline.set_availability(driver::AVAILABILITY_OFFLINE);
  driver::SetAvailabilityResponse state;
  ASSERT_TRUE(elsewhere.stub().SetAvailability(CallContext().get(), offline, &state).ok());
  EXPECT_EQ(state.state().status(), driver::DRIVER_STATUS_OFFLINE);
  ASSERT_TRUE(StateAt(second(), "driver-1", &here).ok());
  EXPECT_EQ(here.state().status(), driver::DRIVER_STATUS_OFFLINE);
  offline.set_availability(driver::AVAILABILITY_UNSPECIFIED);
  const grpc::Status refused = elsewhere.stub().SetAvailability(CallContext().get(), offline, &state);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorOf(refused).reason, "INVALID_FIELD") << "an error is the same, details included";
  offline.set_availability(driver::AVAILABILITY_ONLINE);
  ASSERT_TRUE(elsewhere.stub().SetAvailability(CallContext().get(), offline, &state).ok());

  driver::UpdateLocationRequest location;
  location.set_driver_id("driver-1");
  *location.add_positions() = MakePosition(kNearFerryBuilding, 1000);
  driver::UpdateLocationResponse taken;
  ASSERT_TRUE(elsewhere.stub().UpdateLocation(CallContext().get(), location, &taken).ok());
  EXPECT_EQ(taken.accepted(), 1);

  RiderClient(services_->rider).MustRequest("ann");
  const auto offer = app->NextOffer();
  driver::RespondToOfferRequest accept;
  accept.set_driver_id("driver-1");
  accept.set_offer_id(offer.offer_id());
  accept.set_response(driver::OFFER_RESPONSE_ACCEPT);
  driver::RespondToOfferResponse accepted;
  const grpc::Status status = elsewhere.stub().RespondToOffer(CallContext().get(), accept, &accepted);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(accepted.state().status(), driver::DRIVER_STATUS_ON_TRIP);
}

TEST_F(DriverReplicas, ASessionOfAReplicaThatIsGoneIsOpenedAnew) {
  const auto app = AtSecond("driver-1");
  const auto other = AtSecond("driver-2");
  driver::GetDriverStateResponse before, look;
  driver::SetAvailabilityResponse after;
  ASSERT_TRUE(StateAt(first(), "driver-1", &before).ok());
  second().Signal(SIGSTOP);
  EXPECT_EQ(ErrorOf(StateAt(first(), "driver-1", &look)).reason, "PEER_UNAVAILABLE");
  const grpc::Status away = OnlineAt(first(), "driver-1", &after);
  EXPECT_EQ(away.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ErrorOf(away).reason, "PEER_UNAVAILABLE") << "its lease runs";
  second().Signal(SIGCONT);
  second().Kill();
  const absl::Time limit = absl::Now() + absl::Seconds(20);
  grpc::Status status;
  do status = OnlineAt(first(), "driver-1", &after);
  while (status.error_code() == grpc::StatusCode::UNAVAILABLE && absl::Now() < limit);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GT(after.state().session_epoch(), before.state().session_epoch());
}

TEST_F(DriverReplicas, ASessionThatItsReplicaDoesNotHaveAnyMoreIsOpenedWhereTheCallIs) {
  const auto app = AtSecond("driver-1");
  NewDriver(first(), "driver-2");
  // The stored state as it is after a long idle time.
  postgres_.Ask(
      "UPDATE hail_driver.drivers SET session_epoch = 5, session_replica = (SELECT session_replica FROM"
      " hail_driver.drivers WHERE driver_id = 'driver-1') WHERE driver_id = 'driver-2'");
  driver::GetDriverStateResponse look;
  ASSERT_TRUE(StateAt(first(), "driver-2", &look).ok());
  EXPECT_EQ(look.state().session_epoch(), 0) << "a look opens none";
  driver::SetAvailabilityResponse state;
  const grpc::Status status = OnlineAt(first(), "driver-2", &state);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(state.state().session_epoch(), 6);
}

TEST_F(DriverReplicas, AStreamThatComesLateAtAnotherReplicaReplacesNobody) {
  const auto open = [](DriverApp& app, std::int64_t number) {
    DriverApp::Request request;
    request.mutable_open()->set_driver_id("driver-1");
    request.mutable_open()->set_incarnation_id("run-1");
    request.mutable_open()->set_opening(number);
    app.Connect();
    app.Send(request);
  };
  const auto newer = NewDriver(second(), "driver-1");
  open(*newer, 2);
  newer->Next([](const DriverApp::Response& r) { return r.has_snapshot(); }, "snapshot");
  DriverApp late(first().PublicChannel(), "driver-1");
  open(late, 1);
  late.Next([](const DriverApp::Response& r) { return r.has_replaced(); }, "replaced");
  EXPECT_TRUE(late.AwaitEnd().ok());
  EXPECT_EQ(newer->SetAvailability(driver::AVAILABILITY_ONLINE).status().code(), 0);
  for (const auto& response : newer->received()) EXPECT_FALSE(response.has_replaced());
}

TEST_F(DriverReplicas, WithoutTheBusAMoveIsFoundByTheStore) {
  const auto app = AtSecond("driver-1");
  nats_.Kill();
  DriverApp moved(first().PublicChannel(), "driver-1");
  moved.Open();
  app->Next([](const DriverApp::Response& r) { return r.has_replaced(); }, "replaced");
  EXPECT_TRUE(app->AwaitEnd().ok());
  // Calls that need no other replica work.
  moved.SendPosition(kNearFerryBuilding);
  RiderClient(services_->rider).MustRequest("ann");
  Accept(moved);
}

// Without the bus a replica takes a moved session for its own for up to 2 s.
TEST_F(DriverReplicas, AWishIsNotStoredUnderASessionThatHasMoved) {
  const auto app = AtSecond("driver-1");
  nats_.Kill();
  DriverApp moved(first().PublicChannel(), "driver-1");
  moved.Open();
  moved.Next([](const DriverApp::Response& r) { return r.has_snapshot(); }, "snapshot");
  driver::SetAvailabilityRequest offline;
  offline.set_driver_id("driver-1");
  offline.set_availability(driver::AVAILABILITY_OFFLINE);
  driver::SetAvailabilityResponse response;
  const grpc::Status refused = app->stub().SetAvailability(CallContext().get(), offline, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ErrorOf(refused).reason, "PEER_UNAVAILABLE");
  const auto stored = [this] {
    return postgres_.Ask("SELECT online FROM hail_driver.drivers WHERE driver_id = 'driver-1'")[0][0];
  };
  driver::GetDriverStateResponse state;
  ASSERT_TRUE(StateAt(first(), "driver-1", &state).ok());
  EXPECT_EQ(state.state().availability(), driver::AVAILABILITY_ONLINE);
  EXPECT_EQ(stored(), "1");
  ASSERT_TRUE(moved.stub().SetAvailability(CallContext().get(), offline, &response).ok());
  EXPECT_EQ(response.state().availability(), driver::AVAILABILITY_OFFLINE);
  EXPECT_EQ(stored(), "0");
}

TEST_F(DriverReplicas, AReplicaThatEndsInGoodOrderGivesItsSessionsUp) {
  const auto app = AtSecond("driver-1");
  ASSERT_EQ(second().Terminate(), 0);
  driver::GetDriverStateResponse after;
  const grpc::Status status = StateAt(first(), "driver-1", &after);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

// An operator erases the driver at one replica; the session, with the driver's profile, is at the other.
TEST_F(DriverReplicas, AnErasedDriverIsForgottenEverywhere) {
  const auto app = AtSecond("driver-1");
  ASSERT_TRUE(app->SetAvailability(driver::AVAILABILITY_OFFLINE).has_state());
  const auto privacy = internal::v1::PrivacyService::NewStub(first().InternalChannel());
  internal::v1::EraseDriverRequest request;
  request.set_driver_id("driver-1");
  request.set_note("case 9");
  internal::v1::EraseDriverResponse response;
  const grpc::Status erased = privacy->EraseDriver(CallContext().get(), request, &response);
  ASSERT_TRUE(erased.ok()) << erased.error_message();
  EXPECT_TRUE(response.profile());

  EXPECT_FALSE(app->AwaitEnd().ok());
  driver::GetDriverStateResponse state;
  for (const ServiceProcess* service : {&first(), &second()}) {
    EXPECT_EQ(StateAt(*service, "driver-1", &state).error_code(), grpc::StatusCode::NOT_FOUND);
  }

  // A new driver with that id is not mistaken for the old one.
  const auto again = AtSecond("driver-1");
  RiderClient client(services_->rider);
  client.MustRequest("ann");
  Accept(*again);
}

}  // namespace
}  // namespace hail::testing
