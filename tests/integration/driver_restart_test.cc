// driver-service stops in the middle of a trip: the state it finds after its restart.
#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
namespace internal = hail::internal::v1;
namespace type = hail::type::v1;

using DriverRestartTest = DriverServiceTest;

TEST_F(DriverRestartTest, ADriverOnATripIsOnItAgain) {
  auto app = AppOnTrip("ada", "ride-1");
  driver_.Kill();
  ASSERT_TRUE(driver_.Start());
  app->Resume("ride-1", 2);
  const driver::DriverState state =
      app->Next([](const DriverApp::Response& response) { return response.has_snapshot(); }, "a snapshot").snapshot();
  EXPECT_EQ(state.status(), driver::DRIVER_STATUS_ON_TRIP);
  EXPECT_EQ(state.availability(), driver::AVAILABILITY_ONLINE);
  EXPECT_EQ(state.ride().ride_id(), "ride-1");

  for (const auto step : {driver::AdvanceTripRequest::kArrive, driver::AdvanceTripRequest::kStart,
                          driver::AdvanceTripRequest::kComplete}) {
    DriverApp::Request request;
    driver::AdvanceTripRequest& advance = *request.mutable_advance_trip();
    advance.set_ride_id("ride-1");
    advance.set_epoch(1);
    if (step == driver::AdvanceTripRequest::kArrive) advance.mutable_arrive();
    if (step == driver::AdvanceTripRequest::kStart) advance.mutable_start();
    if (step == driver::AdvanceTripRequest::kComplete) {
      advance.set_leg(1);
      advance.mutable_complete();
    }
    EXPECT_EQ(app->Command(request).status().code(), 0);
  }
  app->NextEvent(type::RIDE_EVENT_TYPE_COMPLETED);
  EXPECT_EQ(rider_.ride("ride-1").state(), type::RIDE_STATE_COMPLETED);
}

TEST_F(DriverRestartTest, ADriverOnATripGetsNoOffers) {
  auto busy = AppOnTrip("busy", "ride-1");
  driver_.Kill();
  ASSERT_TRUE(driver_.Start());
  rider_.OpenLink(driver_.internal_address());
  busy->Open();
  busy->SendPosition(kMarketStreet);
  busy->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_ON_TRIP; },
                   "on its trip");
  // The nearer driver is busy: the other driver gets the ride.
  auto free = AvailableApp("free", Toward(kMarketStreet, 180, 900));
  rider_.StartRide("ride-2", 1, kMarketStreet);
  EXPECT_EQ(free->NextOffer().ride_id(), "ride-2");
  for (const auto& message : busy->received()) EXPECT_FALSE(message.has_offer());
}

TEST_F(DriverRestartTest, WhatHappenedMeanwhileIsTold) {
  auto app = AppOnTrip("ada", "ride-1");
  driver_.Kill();
  rider_.CancelByRider("ride-1");
  ASSERT_TRUE(driver_.Start());
  app->Resume("ride-1", 2);
  EXPECT_EQ(app->NextEvent(type::RIDE_EVENT_TYPE_CANCELED).sequence(), 3);
  const driver::DriverState state =
      app->Next([](const DriverApp::Response& response) { return response.has_snapshot(); }, "a snapshot").snapshot();
  EXPECT_FALSE(state.has_ride());
}

TEST_F(DriverRestartTest, AnAcceptLostWithTheProcessIsSettledByRiderService) {
  // rider-service commits, but driver-service is gone before it gets the reply.
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  rider_.SetConfirmRule([this](const FakeRider::ConfirmRequest&, int) {
    driver_.Signal(SIGKILL);
    return grpc::Status::OK;
  });
  app->RespondLater(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT);
  ASSERT_TRUE(rider_.WasAskedToConfirm(offer.offer_id()));
  driver_.Kill();
  ASSERT_TRUE(driver_.Start());
  app->Open();
  const driver::DriverState state =
      app->Next([](const DriverApp::Response& response) { return response.has_snapshot(); }, "a snapshot").snapshot();
  EXPECT_EQ(state.status(), driver::DRIVER_STATUS_ON_TRIP);
  EXPECT_EQ(state.ride().ride_id(), "ride-1");
  EXPECT_EQ(app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status().code(), 0);
}

TEST_F(DriverRestartTest, ADrainedRunLeavesAClosedStore) {
  auto app = AvailableApp("ada");
  EXPECT_EQ(driver_.Terminate(), 0);
  ASSERT_TRUE(driver_.Start());
  app->AwaitState([](const driver::DriverState& state) { return state.availability() == driver::AVAILABILITY_ONLINE; },
                  "online");
}

}  // namespace
}  // namespace hail::testing
