// Positions: which are refused, which are left out, which searches find a driver by them, and who gets them.
#include <cmath>
#include <cstdint>
#include <map>

#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
namespace internal = hail::internal::v1;
namespace type = hail::type::v1;

using LeftOut = std::map<driver::PositionLeftOutReason, int>;

LeftOut LeftOutOf(const driver::UpdateLocationResponse& response) {
  LeftOut counts;
  for (const driver::PositionsLeftOut& left_out : response.left_out()) counts[left_out.reason()] = left_out.count();
  return counts;
}

// A fix 14 km off.
const LatLng kFarOff = Toward(kMarketStreet, 180, 14'000);

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

  // The results for the positions of one call, which must succeed.
  driver::UpdateLocationResponse MustUpdate(DriverApp& app, const std::vector<type::Position>& positions) {
    driver::UpdateLocationRequest request;
    request.set_driver_id(app.driver_id());
    for (const auto& position : positions) *request.add_positions() = position;
    driver::UpdateLocationResponse response;
    const grpc::Status status = app.stub().UpdateLocation(CallContext().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
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

TEST_F(DriverPositionTest, NothingButImpossibleOnesNameTheField) {
  auto app = NewApp("ada");
  const auto fault = [&](auto change) {
    type::Position bad = MakePosition(kMarketStreet, 2);
    change(bad);
    const grpc::Status status = Update(*app, {bad, bad});
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return FieldOf(status);
  };
  EXPECT_EQ(fault([](type::Position& p) { p.mutable_location()->set_latitude_deg(std::nan("")); }),
            "positions[0].location.latitude_deg");
  EXPECT_EQ(fault([](type::Position& p) { p.mutable_location()->set_longitude_deg(-180.5); }),
            "positions[0].location.longitude_deg");
  EXPECT_EQ(fault([](type::Position& p) {
              p.mutable_location()->set_latitude_deg(0);
              p.mutable_location()->set_longitude_deg(0);
            }).rfind("positions[0].location", 0),
            0u);
  EXPECT_EQ(fault([](type::Position& p) { p.clear_location(); }).rfind("positions[0].location", 0), 0u);
  EXPECT_EQ(fault([](type::Position& p) { p.set_speed_mps(120); }), "positions[0].speed_mps");
  EXPECT_EQ(fault([](type::Position& p) { p.set_heading_deg(360); }), "positions[0].heading_deg");
  EXPECT_EQ(fault([](type::Position& p) { p.set_accuracy_m(-1); }), "positions[0].accuracy_m");
  EXPECT_EQ(fault([](type::Position& p) { p.mutable_age()->set_seconds(-5); }), "positions[0].age");
  EXPECT_EQ(MustUpdate(*app, {MakePosition(kMarketStreet, 1)}).accepted(), 1);
}

TEST_F(DriverPositionTest, EachOneOfABatchIsJudgedOnItsOwn) {
  auto app = NewApp("ada");
  type::Position impossible = MakePosition(kMarketStreet, 3);
  impossible.set_speed_mps(120);
  type::Position coarse = MakePosition(kMarketStreet, 4);
  coarse.set_accuracy_m(3000);
  const auto response =
      MustUpdate(*app, {MakePosition(kMarketStreet, 1), MakePosition(kFarOff, 2), impossible, coarse,
                        MakePosition(Toward(kMarketStreet, 0, 10), 5), MakePosition(kMarketStreet, 1)});
  EXPECT_EQ(response.accepted(), 2);
  EXPECT_EQ(LeftOutOf(response), (LeftOut{{driver::POSITION_LEFT_OUT_REASON_TOO_FAR, 1},
                                          {driver::POSITION_LEFT_OUT_REASON_IMPOSSIBLE, 1},
                                          {driver::POSITION_LEFT_OUT_REASON_INACCURATE, 1},
                                          {driver::POSITION_LEFT_OUT_REASON_OLDER, 1}}));
}

TEST_F(DriverPositionTest, AFirstOneFarOffShutsNobodyOutAndNobodyIsShownWhereTheyMayNotBe) {
  auto app = NewApp("ada");
  app->Open();
  app->SetAvailability(driver::AVAILABILITY_ONLINE);
  type::Position wrong = MakePosition(kFarOff, 1);
  wrong.set_accuracy_m(5000);
  EXPECT_EQ(MustUpdate(*app, {wrong}).accepted(), 1);
  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
                  "available");
  for (const std::uint64_t number : {2u, 3u}) {
    type::Position exact = MakePosition(kMarketStreet, number);
    exact.set_accuracy_m(5);
    const auto response = MustUpdate(*app, {exact});
    EXPECT_EQ(response.accepted(), 0);
    EXPECT_EQ(LeftOutOf(response), (LeftOut{{driver::POSITION_LEFT_OUT_REASON_TOO_FAR, 1}}));
    EXPECT_TRUE(Search(kMarketStreet, 20'000).empty()) << "which of the two places is right is unknown";
  }
  EXPECT_EQ(MustUpdate(*app, {MakePosition(kMarketStreet, 4)}).accepted(), 1);
  EXPECT_EQ(Search(kMarketStreet, 500).size(), 1u);
  EXPECT_EQ(Search(kMarketStreet, 20'000).size(), 1u);
}

TEST_F(DriverPositionTest, OneOutlierHidesTheDriverUntilTheNext) {
  auto app = AvailableApp("ada");
  ASSERT_EQ(Search(kMarketStreet, 500).size(), 1u);
  EXPECT_EQ(MustUpdate(*app, {MakePosition(kFarOff, 100)}).accepted(), 0);
  EXPECT_TRUE(Search(kMarketStreet, 20'000).empty());
  EXPECT_EQ(MustUpdate(*app, {MakePosition(kMarketStreet, 101)}).accepted(), 1);
  EXPECT_EQ(Search(kMarketStreet, 500).size(), 1u);
}

TEST_F(DriverPositionTest, NumbersThatCannotRiseOrAreNotUsedFreezeNobody) {
  auto last = NewApp("last");
  EXPECT_EQ(MustUpdate(*last, {MakePosition(kMarketStreet, UINT64_MAX, absl::Seconds(20))}).accepted(), 1);
  EXPECT_EQ(MustUpdate(*last, {MakePosition(kMarketStreet, 2, absl::Seconds(15))}).accepted(), 1);
  EXPECT_EQ(MustUpdate(*last, {MakePosition(kMarketStreet, 2, absl::Seconds(10))}).accepted(), 1);
  auto none = NewApp("none");
  EXPECT_EQ(MustUpdate(*none, {MakePosition(kMarketStreet, 0)}).accepted(), 1);
  EXPECT_EQ(MustUpdate(*none, {MakePosition(Toward(kMarketStreet, 0, 20), 0)}).accepted(), 1);
}

TEST_F(DriverPositionTest, AnOlderOneByItsAgeNeverReplacesANewer) {
  auto app = AvailableApp("ada");
  const auto response = MustUpdate(*app, {MakePosition(kMarketStreet, 1000, absl::Seconds(100))});
  EXPECT_EQ(response.accepted(), 0);
  EXPECT_EQ(LeftOutOf(response), (LeftOut{{driver::POSITION_LEFT_OUT_REASON_OLDER, 1}}));
  EXPECT_EQ(Search(kMarketStreet, 500).size(), 1u) << "the driver stays offerable";
}

TEST_F(DriverPositionTest, NoneAndTooManyAreRefused) {
  auto app = NewApp("ada");
  EXPECT_EQ(FieldOf(Update(*app, {})), "positions");
  EXPECT_EQ(FieldOf(Update(*app, std::vector<type::Position>(65, MakePosition(kMarketStreet, 1)))), "positions");
  // Another replica may have opened the session.
  EXPECT_EQ(ReasonOf(Update(*app, {MakePosition(kMarketStreet, 1)}, nullptr, INT64_MAX)), "PEER_UNAVAILABLE");
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

TEST_F(DriverPositionTest, TheStreamSaysWhatWasLeftOut) {
  auto app = AvailableApp("ada");
  const auto send = [&](const std::vector<type::Position>& positions) {
    DriverApp::Request request;
    for (const auto& position : positions) *request.mutable_location()->add_positions() = position;
    app->Send(request);
  };
  const auto next_result = [&] {
    return app
        ->Next([](const DriverApp::Response& response) { return response.has_location_result(); }, "what was left out")
        .location_result();
  };
  // An old position beside a new one is usual with retries: the stream sends no result for it.
  send({MakePosition(kMarketStreet, 100)});
  send({MakePosition(kMarketStreet, 100), MakePosition(kMarketStreet, 101)});
  send({MakePosition(kFarOff, 102), MakePosition(kMarketStreet, 103)});
  const auto outlier = next_result();
  EXPECT_EQ(outlier.accepted(), 1);
  EXPECT_EQ(LeftOutOf(outlier), (LeftOut{{driver::POSITION_LEFT_OUT_REASON_TOO_FAR, 1}}));
  send({MakePosition(kMarketStreet, 102), MakePosition(kMarketStreet, 103)});
  const auto resent = next_result();
  EXPECT_EQ(resent.accepted(), 0);
  EXPECT_EQ(LeftOutOf(resent), (LeftOut{{driver::POSITION_LEFT_OUT_REASON_OLDER, 2}}));
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

  // The service shows cars up to 270 m from their true position.
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
