// Every command of the stream, by unary calls only.
#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
namespace internal = hail::internal::v1;
namespace type = hail::type::v1;

class DriverTwinsTest : public DriverServiceTest {
 protected:
  // A driver without a stream, AVAILABLE.
  std::unique_ptr<DriverApp> AvailableByCalls(const std::string& driver_id) {
    auto app = NewApp(driver_id);
    driver::SetAvailabilityRequest desired;
    desired.set_driver_id(driver_id);
    desired.set_availability(driver::AVAILABILITY_ONLINE);
    driver::SetAvailabilityResponse wished;
    EXPECT_TRUE(app->stub().SetAvailability(CallContext().get(), desired, &wished).ok());
    driver::UpdateLocationRequest location;
    location.set_driver_id(driver_id);
    *location.add_positions() = MakePosition(kMarketStreet, 1);
    driver::UpdateLocationResponse located;
    EXPECT_TRUE(app->stub().UpdateLocation(CallContext().get(), location, &located).ok());
    app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
                    "available");
    return app;
  }

  driver::Offer AwaitOffer(DriverApp& app) {
    return app
        .AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_OFFERED; },
                    "offered a ride")
        .offer();
  }

  grpc::Status Respond(DriverApp& app, const std::string& offer_id, driver::OfferResponse answer,
                       driver::RespondToOfferResponse* response, absl::Duration patience = absl::Seconds(10)) {
    driver::RespondToOfferRequest request;
    request.set_driver_id(app.driver_id());
    request.set_offer_id(offer_id);
    request.set_response(answer);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + patience));
    return app.stub().RespondToOffer(&context, request, response);
  }

  grpc::Status Advance(DriverApp& app, driver::AdvanceTripRequest request, type::Ride* ride = nullptr) {
    if (request.driver_id().empty()) request.set_driver_id(app.driver_id());
    driver::AdvanceTripResponse response;
    const grpc::Status status = app.stub().AdvanceTrip(CallContext().get(), request, &response);
    if (ride != nullptr) *ride = response.ride();
    return status;
  }

  static driver::AdvanceTripRequest Step(const std::string& ride_id, int32_t leg = 0) {
    driver::AdvanceTripRequest request;
    request.set_ride_id(ride_id);
    request.set_epoch(1);
    request.set_leg(leg);
    return request;
  }
};

TEST_F(DriverTwinsTest, AWholeRide) {
  auto app = AvailableByCalls("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  // Reading the offer counts as showing it: it stays this driver's beyond the 3 s in which an app must acknowledge it.
  const driver::Offer offer = AwaitOffer(*app);
  EXPECT_EQ(offer.ride_id(), "ride-1");

  driver::RespondToOfferResponse response;
  ASSERT_TRUE(Respond(*app, offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT, &response).ok());
  EXPECT_EQ(response.offer().status(), driver::OFFER_STATUS_ACCEPTED);
  EXPECT_EQ(response.state().status(), driver::DRIVER_STATUS_ON_TRIP);
  EXPECT_EQ(response.state().ride().ride_id(), "ride-1");

  type::Ride ride;
  driver::AdvanceTripRequest seen = Step("ride-1"), arrive = Step("ride-1"), start = Step("ride-1"),
                             complete = Step("ride-1", 1);
  seen.mutable_seen();
  arrive.mutable_arrive();
  start.mutable_start();
  complete.mutable_complete();
  ASSERT_TRUE(Advance(*app, seen).ok());
  ASSERT_TRUE(Advance(*app, arrive, &ride).ok());
  EXPECT_EQ(ride.state(), type::RIDE_STATE_ARRIVED_AT_PICKUP);
  ASSERT_TRUE(Advance(*app, start, &ride).ok());
  EXPECT_EQ(ride.state(), type::RIDE_STATE_ENROUTE_TO_DROPOFF);
  ASSERT_TRUE(Advance(*app, complete, &ride).ok());
  EXPECT_EQ(ride.state(), type::RIDE_STATE_COMPLETED);

  const auto steps = rider_.steps();
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].step(), internal::TRIP_STEP_SEEN);
  EXPECT_EQ(steps[1].step(), internal::TRIP_STEP_ARRIVE);
  EXPECT_EQ(steps[2].step(), internal::TRIP_STEP_START);
  EXPECT_EQ(steps[3].step(), internal::TRIP_STEP_COMPLETE);
  EXPECT_EQ(steps[3].leg(), 1);
  EXPECT_EQ(steps[3].driver_id(), "ada");
  // The step has the command, and the driver's name.
  EXPECT_TRUE(steps[0].command().has_seen());
  EXPECT_TRUE(steps[3].command().has_complete());
  EXPECT_EQ(steps[3].command().driver_id(), "ada");

  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
                  "available after the ride");
  driver::ListTripsRequest list;
  list.set_driver_id("ada");
  driver::ListTripsResponse trips;
  ASSERT_TRUE(app->stub().ListTrips(CallContext().get(), list, &trips).ok());
  ASSERT_EQ(trips.trips_size(), 1);
  EXPECT_EQ(trips.trips(0).ride_id(), "ride-1");
}

TEST_F(DriverTwinsTest, ADecline) {
  auto app = AvailableByCalls("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = AwaitOffer(*app);
  driver::RespondToOfferResponse response;
  ASSERT_TRUE(Respond(*app, offer.offer_id(), driver::OFFER_RESPONSE_DECLINE, &response).ok());
  EXPECT_EQ(response.offer().status(), driver::OFFER_STATUS_DECLINED);
  EXPECT_EQ(response.state().status(), driver::DRIVER_STATUS_AVAILABLE);
}

TEST_F(DriverTwinsTest, AnAcceptWhoseOutcomeIsUnknownIsAnsweredByTheNextOne) {
  rider_.SetConfirmRule([](const FakeRider::ConfirmRequest&, int) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "nobody there");
  });
  auto app = AvailableByCalls("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = AwaitOffer(*app);
  driver::RespondToOfferResponse response;
  EXPECT_EQ(Respond(*app, offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT, &response, absl::Seconds(1)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_RESERVED; },
                  "reserved");
  rider_.SetConfirmRule(nullptr);
  ASSERT_TRUE(Respond(*app, offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT, &response).ok());
  EXPECT_EQ(response.state().ride().ride_id(), "ride-1");
}

TEST_F(DriverTwinsTest, AnswersAreChecked) {
  auto app = NewApp("ada");
  driver::RespondToOfferResponse response;
  EXPECT_EQ(FieldOf(Respond(*app, "", driver::OFFER_RESPONSE_ACCEPT, &response)), "offer_id");
  EXPECT_EQ(FieldOf(Respond(*app, "some-offer", driver::OFFER_RESPONSE_UNSPECIFIED, &response)), "response");
  EXPECT_EQ(ReasonOf(Respond(*app, "some-offer", driver::OFFER_RESPONSE_ACCEPT, &response)), "OFFER_NOT_FOUND");
  DriverApp nobody(driver_.PublicChannel(), "nobody");
  EXPECT_EQ(ReasonOf(Respond(nobody, "some-offer", driver::OFFER_RESPONSE_ACCEPT, &response)), "DRIVER_NOT_FOUND");
}

TEST_F(DriverTwinsTest, StepsAreChecked) {
  auto app = NewApp("ada");
  const auto fault = [&](auto change) {
    driver::AdvanceTripRequest request = Step("ride-1");
    request.mutable_arrive();
    change(request);
    return FieldOf(Advance(*app, request));
  };
  EXPECT_EQ(fault([](driver::AdvanceTripRequest& request) { request.clear_ride_id(); }), "ride_id");
  EXPECT_EQ(fault([](driver::AdvanceTripRequest& request) { request.set_epoch(0); }), "epoch");
  EXPECT_EQ(fault([](driver::AdvanceTripRequest& request) { request.set_leg(-1); }), "leg");
  EXPECT_EQ(fault([](driver::AdvanceTripRequest& request) { request.clear_action(); }), "action");
  EXPECT_EQ(fault([](driver::AdvanceTripRequest& request) {
              request.mutable_cancel()->set_reason(type::CANCEL_REASON_OPERATOR);
            }),
            "cancel.reason");
  EXPECT_EQ(
      fault([](driver::AdvanceTripRequest& request) { request.mutable_cancel()->set_note(std::string(513, 'x')); }),
      "cancel.note");
  EXPECT_EQ(fault([](driver::AdvanceTripRequest& request) { request.set_driver_id(std::string(200, 'x')); }),
            "driver_id");
  EXPECT_TRUE(rider_.steps().empty());
}

TEST_F(DriverTwinsTest, WithoutRiderServiceTripsAreUnavailable) {
  auto app = AvailableByCalls("ada");
  rider_.Vanish();
  driver::AdvanceTripRequest arrive = Step("ride-1");
  arrive.mutable_arrive();
  const grpc::Status status = Advance(*app, arrive);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_EQ(ReasonOf(status), "PEER_UNAVAILABLE");
  // Without the feed the driver's current ride is unknown: no offers.
  app->AwaitState([](const driver::DriverState& state) { return state.blocked_by() == driver::BLOCKED_BY_NOT_SYNCED; },
                  "out of sync");
  rider_.Serve();
  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
                  "available again");
}

}  // namespace
}  // namespace hail::testing
