// Positions: what is refused, what is left out, who is found by them, and who is told.
#include <cmath>

#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
namespace internal = hail::internal::v1;
namespace type = hail::type::v1;

class DriverPositionTest : public DriverServiceTest {
 protected:
  grpc::Status Update(DriverApp& app, const std::vector<type::Position>& positions, int* accepted = nullptr,
                      int64_t session_epoch = 0) {
    driver::UpdateLocationRequest request;
    request.set_driver_id(app.driver_id());
    request.set_session_epoch(session_epoch);
    for (const auto& position : positions) *request.add_positions() = position;
    driver::UpdateLocationResponse response;
    const grpc::Status status = app.stub().UpdateLocation(CallContext().get(), request, &response);
    if (accepted != nullptr) *accepted = response.accepted();
    return status;
  }

  std::vector<internal::FoundDriver> Search(const LatLng& at, double radius_m, const std::string& product_id = "",
                                            int seats = 0, const std::string& region_id = "") {
    auto stub = internal::DispatchService::NewStub(driver_.InternalChannel());
    internal::SearchDriversRequest request;
    request.mutable_position()->set_latitude_deg(at.latitude_deg);
    request.mutable_position()->set_longitude_deg(at.longitude_deg);
    request.set_radius_m(radius_m);
    request.set_limit(10);
    request.set_product_id(product_id);
    request.set_seats(seats);
    request.set_region_id(region_id);
    internal::SearchDriversResponse response;
    const grpc::Status status = stub->SearchDrivers(CallContext().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.drivers().begin(), response.drivers().end()};
  }
};

TEST_F(DriverPositionTest, ImpossibleOnesNameTheField) {
  auto app = NewApp("ada");
  const auto fault = [&](auto change) {
    type::Position bad = MakePosition(kMarketStreet, 2);
    change(bad);
    const grpc::Status status = Update(*app, {MakePosition(kMarketStreet, 1), bad});
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return FieldOf(status);
  };
  EXPECT_EQ(fault([](type::Position& p) { p.mutable_location()->set_latitude_deg(std::nan("")); }),
            "positions[1].location.latitude_deg");
  EXPECT_EQ(fault([](type::Position& p) { p.mutable_location()->set_longitude_deg(-180.5); }),
            "positions[1].location.longitude_deg");
  EXPECT_EQ(fault([](type::Position& p) {
              p.mutable_location()->set_latitude_deg(0);
              p.mutable_location()->set_longitude_deg(0);
            }).rfind("positions[1].location", 0),
            0u);
  EXPECT_EQ(fault([](type::Position& p) { p.clear_location(); }).rfind("positions[1].location", 0), 0u);
  EXPECT_EQ(fault([](type::Position& p) { p.set_speed_mps(120); }), "positions[1].speed_mps");
  EXPECT_EQ(fault([](type::Position& p) { p.set_heading_deg(360); }), "positions[1].heading_deg");
  EXPECT_EQ(fault([](type::Position& p) { p.set_accuracy_m(-1); }), "positions[1].accuracy_m");
  EXPECT_EQ(fault([](type::Position& p) { p.mutable_age()->set_seconds(-5); }), "positions[1].age");
  EXPECT_EQ(fault([](type::Position& p) {
              *p.mutable_location() = MakePosition(Toward(kMarketStreet, 0, 5000), 2).location();
            }),
            "positions[1].location")
      << "5 km in no time";
  // With a bad one the good one beside it was not taken either.
  int accepted = 0;
  ASSERT_TRUE(Update(*app, {MakePosition(kMarketStreet, 1)}, &accepted).ok());
  EXPECT_EQ(accepted, 1);
}

TEST_F(DriverPositionTest, NoneAndTooManyAreRefused) {
  auto app = NewApp("ada");
  EXPECT_EQ(FieldOf(Update(*app, {})), "positions");
  EXPECT_EQ(FieldOf(Update(*app, std::vector<type::Position>(65, MakePosition(kMarketStreet, 1)))), "positions");
  EXPECT_EQ(FieldOf(Update(*app, {MakePosition(kMarketStreet, 1)}, nullptr, INT64_MAX)), "session_epoch");
}

TEST_F(DriverPositionTest, OlderOnesAreLeftOut) {
  auto app = NewApp("ada");
  int accepted = 0;
  ASSERT_TRUE(Update(*app, {MakePosition(kMarketStreet, 5), MakePosition(kMarketStreet, 6)}, &accepted).ok());
  EXPECT_EQ(accepted, 2);
  ASSERT_TRUE(Update(*app, {MakePosition(kMarketStreet, 6), MakePosition(kMarketStreet, 4)}, &accepted).ok());
  EXPECT_EQ(accepted, 0);
}

TEST_F(DriverPositionTest, ARefusedOneOnTheStreamIsAnsweredAndTheStreamGoesOn) {
  auto app = NewApp("ada");
  app->Open();
  DriverApp::Request request;
  request.set_command_id("bad-fix");
  *request.mutable_location()->add_positions() = MakePosition({91, 0}, 1);
  app->Send(request);
  EXPECT_EQ(app->NextResult("bad-fix").status().code(), grpc::StatusCode::INVALID_ARGUMENT);
  app->SendPosition(kMarketStreet);
  EXPECT_EQ(app->SetAvailability(driver::AVAILABILITY_ONLINE).status().code(), 0);
  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
                  "available");
}

TEST_F(DriverPositionTest, AnotherDeviceOfTheDriverMayBeAnywhere) {
  auto app = AvailableApp("ada");
  DriverApp other(driver_.PublicChannel(), "ada");
  const LatLng airport{37.6213, -122.3790};
  other.GoAvailable(airport);
  ASSERT_EQ(Search(airport, 500).size(), 1u);
  EXPECT_TRUE(Search(kMarketStreet, 500).empty());
}

TEST_F(DriverPositionTest, OldOnesBringNoOffers) {
  auto app = NewApp("ada");
  app->Open();
  app->SetAvailability(driver::AVAILABILITY_ONLINE);
  ASSERT_TRUE(Update(*app, {MakePosition(kMarketStreet, 1, absl::Seconds(31))}).ok());
  app->AwaitState(
      [](const driver::DriverState& state) { return state.blocked_by() == driver::BLOCKED_BY_STALE_POSITION; },
      "blocked by its old position");
  EXPECT_TRUE(Search(kMarketStreet, 500).empty());
}

TEST_F(DriverPositionTest, SearchFindsTheNearestAvailable) {
  auto near = AvailableApp("near", Toward(kMarketStreet, 0, 200));
  auto far = AvailableApp("far", Toward(kMarketStreet, 0, 1000));
  auto farther = AvailableApp("farther", Toward(kMarketStreet, 0, 3000));
  auto offline = NewApp("offline");
  offline->Open();
  offline->SendPosition(kMarketStreet);

  // Cars are shown up to 270 m from where they are.
  const auto found = Search(kMarketStreet, 1400);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].driver_id(), "near");
  EXPECT_NEAR(found[0].distance_m(), 200, 270);
  EXPECT_GT(found[0].eta().seconds(), 0);
  EXPECT_EQ(found[0].eta().seconds() % 15, 0);
  EXPECT_GT(DistanceM({found[0].position().latitude_deg(), found[0].position().longitude_deg()},
                      Toward(kMarketStreet, 0, 200)),
            100);
  EXPECT_EQ(found[1].driver_id(), "far");
  EXPECT_TRUE(Search(kMarketStreet, 1400, "xl").empty());
  EXPECT_TRUE(Search(kMarketStreet, 1400, "economy", 6).empty());
  EXPECT_EQ(Search(kMarketStreet, 1400, "economy", 4).size(), 2u);
  EXPECT_EQ(Search(kMarketStreet, 1400, "", 0, "san_francisco").size(), 2u);
  EXPECT_TRUE(Search(kMarketStreet, 1400, "", 0, "new_york").empty());
}

TEST_F(DriverPositionTest, SearchIsChecked) {
  auto stub = internal::DispatchService::NewStub(driver_.InternalChannel());
  const auto fault = [&](auto change) {
    internal::SearchDriversRequest request;
    *request.mutable_position() = MakePosition(kMarketStreet, 1).location();
    request.set_radius_m(1000);
    request.set_limit(5);
    change(request);
    internal::SearchDriversResponse response;
    return FieldOf(stub->SearchDrivers(CallContext().get(), request, &response));
  };
  EXPECT_EQ(fault([](internal::SearchDriversRequest& r) { r.set_radius_m(std::nan("")); }), "radius_m");
  EXPECT_EQ(fault([](internal::SearchDriversRequest& r) { r.set_limit(0); }), "limit");
  EXPECT_EQ(fault([](internal::SearchDriversRequest& r) { r.mutable_position()->set_latitude_deg(100); }),
            "position.latitude_deg");
}

TEST_F(DriverPositionTest, RidersAreToldWhereTheirDriverIs) {
  auto app = AppOnTrip("ada", "ride-1");
  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_ON_TRIP; },
                  "on a trip");
  const LatLng here = Toward(kMarketStreet, 0, 120);
  app->SendPosition(here);
  ASSERT_TRUE(rider_.WasToldWhere("ada", here));
  const internal::DriverLocation last = rider_.locations().back();
  EXPECT_EQ(last.ride_id(), "ride-1");
  EXPECT_EQ(last.epoch(), 1);
  EXPECT_GT(last.session_epoch(), 0);
  EXPECT_TRUE(last.has_eta());
}

}  // namespace
}  // namespace hail::testing
