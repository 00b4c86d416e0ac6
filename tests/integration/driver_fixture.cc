#include "tests/integration/driver_fixture.h"

#include <utility>

namespace hail::testing {

namespace {

std::map<std::string, std::string> With(std::map<std::string, std::string> settings, const std::string& rider) {
  settings.emplace("rider_service", rider);
  // No load balancer is in front of this process, so it need not wait until one notices.
  settings.emplace("shutdown.notice", "0s");
  return settings;
}

}  // namespace

DriverServiceTest::DriverServiceTest(std::map<std::string, std::string> settings)
    : driver_("driver-service", With(std::move(settings), rider_.address())) {}

void DriverServiceTest::SetUp() {
  ASSERT_TRUE(driver_.Start());
  rider_.OpenLink(driver_.internal_address());
}

std::unique_ptr<DriverApp> DriverServiceTest::NewApp(const std::string& driver_id) {
  auto app = std::make_unique<DriverApp>(driver_.PublicChannel(), driver_id);
  const grpc::Status status = app->Register();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return app;
}

std::unique_ptr<DriverApp> DriverServiceTest::AvailableApp(const std::string& driver_id, const LatLng& at) {
  auto app = NewApp(driver_id);
  app->GoAvailable(at);
  return app;
}

std::unique_ptr<DriverApp> DriverServiceTest::AppOnTrip(const std::string& driver_id, const std::string& ride_id) {
  auto app = AvailableApp(driver_id);
  rider_.StartRide(ride_id, 1, kMarketStreet);
  const hail::driver::v1::Offer offer = app->NextOffer();
  EXPECT_EQ(offer.ride_id(), ride_id);
  app->SendOfferReceived(offer.offer_id());
  app->RespondLater(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(app->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED).ride_id(), ride_id);
  return app;
}

std::string DriverServiceTest::ReasonOf(const grpc::Status& status) {
  const auto details = DetailsOf(rpc::FromGrpc(status));
  return details.has_value() ? std::string(ReasonName(details->reason)) : "";
}

std::string DriverServiceTest::ReasonOf(const google::rpc::Status& status) {
  const auto details = DetailsOf(rpc::FromProto(status));
  return details.has_value() ? std::string(ReasonName(details->reason)) : "";
}

std::string DriverServiceTest::FieldOf(const grpc::Status& status) {
  const auto details = DetailsOf(rpc::FromGrpc(status));
  return details.has_value() ? details->field : "";
}

}  // namespace hail::testing
