// RegisterDriver, UpdateDriver, GetDriver, SetAvailability and GetDriverState.
#include <functional>
#include <string>
#include <vector>

#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;

driver::Driver GoodProfile(const std::string& driver_id) {
  driver::Driver profile;
  profile.set_driver_id(driver_id);
  profile.set_display_name("Grace");
  profile.set_region_id("san_francisco");
  profile.mutable_vehicle()->set_plate("8XYZ-" + driver_id);
  profile.mutable_vehicle()->set_make("Toyota");
  profile.mutable_vehicle()->set_seats(6);
  profile.add_product_ids("economy");
  profile.add_product_ids("xl");
  return profile;
}

class DriverProfileTest : public DriverServiceTest {
 protected:
  void SetUp() override {
    DriverServiceTest::SetUp();
    stub_ = driver::DriverService::NewStub(driver_.PublicChannel());
  }

  grpc::Status Register(const driver::Driver& profile, driver::Driver* stored = nullptr) {
    driver::RegisterDriverRequest request;
    *request.mutable_driver() = profile;
    driver::RegisterDriverResponse response;
    const grpc::Status status = stub_->RegisterDriver(CallContext().get(), request, &response);
    if (stored != nullptr) *stored = response.driver();
    return status;
  }

  // Changes the fields of GoodProfile that `paths` name, after `change`.
  grpc::Status Update(
      const std::string& driver_id, const std::vector<std::string>& paths,
      const std::function<void(driver::Driver&)>& change = [](driver::Driver&) {}) {
    driver::UpdateDriverRequest request;
    *request.mutable_driver() = GoodProfile(driver_id);
    change(*request.mutable_driver());
    request.mutable_update_mask()->mutable_paths()->Assign(paths.begin(), paths.end());
    driver::UpdateDriverResponse response;
    return stub_->UpdateDriver(CallContext().get(), request, &response);
  }

  grpc::Status SetAvailability(const std::string& driver_id, driver::Availability availability,
                               driver::DriverState* state = nullptr) {
    driver::SetAvailabilityRequest request;
    request.set_driver_id(driver_id);
    request.set_availability(availability);
    driver::SetAvailabilityResponse response;
    const grpc::Status status = stub_->SetAvailability(CallContext().get(), request, &response);
    if (state != nullptr) *state = response.state();
    return status;
  }

  grpc::Status GetState(const std::string& driver_id, driver::DriverState* state) {
    driver::GetDriverStateRequest request;
    request.set_driver_id(driver_id);
    driver::GetDriverStateResponse response;
    const grpc::Status status = stub_->GetDriverState(CallContext().get(), request, &response);
    *state = response.state();
    return status;
  }

  std::unique_ptr<driver::DriverService::Stub> stub_;
};

TEST_F(DriverProfileTest, RegisteringTwiceIsOneDriver) {
  driver::Driver first, again;
  ASSERT_TRUE(Register(GoodProfile("grace"), &first).ok());
  EXPECT_EQ(first.product_ids_size(), 2);
  EXPECT_TRUE(first.has_create_time());
  ASSERT_TRUE(Register(GoodProfile("grace"), &again).ok());
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());

  driver::GetDriverRequest request;
  request.set_driver_id("grace");
  driver::GetDriverResponse response;
  ASSERT_TRUE(stub_->GetDriver(CallContext().get(), request, &response).ok());
  EXPECT_EQ(response.driver().SerializeAsString(), first.SerializeAsString());
}

TEST_F(DriverProfileTest, AnotherBodyReplacesTheProfileAlsoOfAnOpenSession) {
  driver::Driver first, changed;
  ASSERT_TRUE(Register(GoodProfile("ada"), &first).ok());
  auto app = NewApp("ada");
  app->GoAvailable(kMarketStreet);
  driver::Driver other = GoodProfile("ada");
  other.set_display_name("Ada L.");
  other.mutable_vehicle()->set_plate("OTHER");
  ASSERT_TRUE(Register(other, &changed).ok());
  EXPECT_EQ(changed.vehicle().plate(), "OTHER");
  EXPECT_EQ(changed.create_time().SerializeAsString(), first.create_time().SerializeAsString());
  EXPECT_NE(changed.update_time().SerializeAsString(), first.update_time().SerializeAsString());
  // The next ride gets the present profile.
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  ASSERT_EQ(app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status().code(), 0);
  ASSERT_EQ(rider_.confirms().size(), 1u);
  EXPECT_EQ(rider_.confirms()[0].driver().vehicle().plate(), "OTHER");
  EXPECT_EQ(rider_.confirms()[0].driver().display_name(), "Ada L.");
}

TEST_F(DriverProfileTest, AnOfferAfterAnUpdateShowsTheNewVehicle) {
  auto app = NewApp("ada");
  app->GoAvailable(kMarketStreet);
  const auto painted = [](driver::Driver& profile) { profile.mutable_vehicle()->set_color("green"); };
  ASSERT_TRUE(Update("ada", {"vehicle"}, painted).ok());
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  ASSERT_EQ(app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status().code(), 0);
  ASSERT_EQ(rider_.confirms().size(), 1u);
  EXPECT_EQ(rider_.confirms()[0].driver().vehicle().color(), "green");
  EXPECT_EQ(rider_.confirms()[0].driver().display_name(), "Ada") << "not named";

  // The ride keeps it to its end.
  const grpc::Status busy = Update("ada", {"vehicle"});
  EXPECT_EQ(busy.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(busy), "DRIVER_BUSY");
  EXPECT_TRUE(Update("ada", {"vehicle"}, painted).ok()) << "the same again";
  EXPECT_TRUE(Update("ada", {"display_name", "product_ids"}).ok());
  rider_.CancelByRider("ride-1");
  app->AwaitState([](const driver::DriverState& state) { return !state.has_ride(); }, "without a ride");
  EXPECT_TRUE(Update("ada", {"vehicle"}).ok());
}

TEST_F(DriverProfileTest, AnUpdateNamesTheFieldAtFault) {
  EXPECT_EQ(ReasonOf(Update("nobody", {"vehicle"})), "DRIVER_NOT_FOUND");
  ASSERT_TRUE(Register(GoodProfile("grace")).ok());
  const grpc::Status unknown = Update("grace", {"vehicle", "vehicle.color"});
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(unknown), "update_mask.paths[1]");
  EXPECT_EQ(FieldOf(Update("grace", {"driver_id"})), "update_mask.paths[0]");
  EXPECT_EQ(FieldOf(Update("grace", {"vehicle"}, [](driver::Driver& profile) { profile.clear_vehicle(); })),
            "driver.vehicle.plate");
}

TEST_F(DriverProfileTest, APlateIsOnlineWithOneDriverAtATime) {
  driver::Driver one = GoodProfile("one"), two = GoodProfile("two");
  one.mutable_vehicle()->set_plate("TWIN 001");
  two.mutable_vehicle()->set_plate("twin001");
  ASSERT_TRUE(Register(one).ok());
  ASSERT_TRUE(Register(two).ok());
  ASSERT_TRUE(SetAvailability("one", driver::AVAILABILITY_ONLINE).ok());
  const grpc::Status refused = SetAvailability("two", driver::AVAILABILITY_ONLINE);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(refused), "PLATE_IN_USE");
  ASSERT_TRUE(SetAvailability("one", driver::AVAILABILITY_OFFLINE).ok());
  EXPECT_TRUE(SetAvailability("two", driver::AVAILABILITY_ONLINE).ok());
}

TEST_F(DriverProfileTest, ALookOpensNoSessionAndIsNoReceipt) {
  ASSERT_TRUE(Register(GoodProfile("grace")).ok());
  driver::DriverState state;
  ASSERT_TRUE(GetState("grace", &state).ok());
  EXPECT_EQ(state.status(), driver::DRIVER_STATUS_OFFLINE);
  EXPECT_EQ(state.session_epoch(), 0) << "there is none, and the look opened none";
  ASSERT_TRUE(GetState("grace", &state).ok());
  EXPECT_EQ(state.session_epoch(), 0);

  auto app = NewApp("ada");
  app->GoAvailable(kMarketStreet);
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  // Poll until the offer is gone: it ends after 3 s without the app's acknowledgement.
  const absl::Time deadline = absl::Now() + absl::Seconds(15);
  do {
    ASSERT_TRUE(GetState("ada", &state).ok());
    ASSERT_LT(absl::Now(), deadline) << "the offer stays";
  } while (state.has_offer());
  EXPECT_EQ(app->NextOfferUpdate(driver::OFFER_STATUS_REVOKED).offer_id(), offer.offer_id());
}

TEST_F(DriverProfileTest, TheStreamSaysWhatAnyCallChanges) {
  auto app = NewApp("ada");
  app->GoAvailable(kMarketStreet);
  ASSERT_TRUE(SetAvailability("ada", driver::AVAILABILITY_OFFLINE).ok());
  const driver::DriverState offline =
      app->Next([](const auto& message) { return message.state().availability() == driver::AVAILABILITY_OFFLINE; },
                "offline")
          .state();
  EXPECT_GT(offline.revision(), 0);
  EXPECT_EQ(offline.status(), driver::DRIVER_STATUS_OFFLINE);
  ASSERT_TRUE(SetAvailability("ada", driver::AVAILABILITY_ONLINE).ok());
  const driver::DriverState online =
      app->Next([](const auto& message) { return message.state().status() == driver::DRIVER_STATUS_AVAILABLE; },
                "available")
          .state();
  EXPECT_EQ(online.session_epoch(), offline.session_epoch());
  EXPECT_GT(online.revision(), offline.revision());
}

TEST_F(DriverProfileTest, BadProfilesNameTheField) {
  const auto fault = [this](auto change) {
    driver::Driver profile = GoodProfile("grace");
    change(profile);
    const grpc::Status status = Register(profile);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return FieldOf(status);
  };
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.clear_driver_id(); }), "driver.driver_id");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.set_driver_id(std::string(129, 'x')); }), "driver.driver_id");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.mutable_vehicle()->set_seats(0); }), "driver.vehicle.seats");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.mutable_vehicle()->clear_plate(); }), "driver.vehicle.plate");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.clear_product_ids(); }), "driver.product_ids");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.set_driver_id("grace\u2066"); }), "driver.driver_id");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.set_display_name("\u202EecarG"); }), "driver.display_name");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.mutable_vehicle()->set_plate("8XYZ\u200B"); }),
            "driver.vehicle.plate");
  EXPECT_EQ(fault([](driver::Driver& profile) { profile.mutable_vehicle()->set_model("Pri\u0085us"); }),
            "driver.vehicle.model");
}

TEST_F(DriverProfileTest, UnknownDriversAreNotFound) {
  driver::GetDriverRequest request;
  request.set_driver_id("nobody");
  driver::GetDriverResponse response;
  const grpc::Status get = stub_->GetDriver(CallContext().get(), request, &response);
  EXPECT_EQ(get.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(get), "DRIVER_NOT_FOUND");

  driver::DriverState state;
  EXPECT_EQ(ReasonOf(GetState("nobody", &state)), "DRIVER_NOT_FOUND");
  EXPECT_EQ(ReasonOf(SetAvailability("nobody", driver::AVAILABILITY_ONLINE)), "DRIVER_NOT_FOUND");
}

TEST_F(DriverProfileTest, AvailabilityMustBeSaid) {
  ASSERT_TRUE(Register(GoodProfile("grace")).ok());
  const grpc::Status status = SetAvailability("grace", driver::AVAILABILITY_UNSPECIFIED);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(status), "availability");
}

TEST_F(DriverProfileTest, TheWishOutlivesACrash) {
  ASSERT_TRUE(Register(GoodProfile("grace")).ok());
  driver::DriverState state;
  ASSERT_TRUE(SetAvailability("grace", driver::AVAILABILITY_ONLINE, &state).ok());
  EXPECT_EQ(state.availability(), driver::AVAILABILITY_ONLINE);
  // Online, but without a known position.
  EXPECT_EQ(state.status(), driver::DRIVER_STATUS_OFFLINE);
  driver_.Kill();
  ASSERT_TRUE(driver_.Start());
  ASSERT_TRUE(GetState("grace", &state).ok());
  EXPECT_EQ(state.availability(), driver::AVAILABILITY_ONLINE);
}

TEST_F(DriverProfileTest, TheStateSaysWhatIsMissing) {
  ASSERT_TRUE(Register(GoodProfile("grace")).ok());
  ASSERT_TRUE(SetAvailability("grace", driver::AVAILABILITY_ONLINE).ok());
  ASSERT_TRUE(rider_.Watches("grace"));
  DriverApp app(driver_.PublicChannel(), "grace");
  app.AwaitState(
      [](const driver::DriverState& state) { return state.blocked_by() == driver::BLOCKED_BY_STALE_POSITION; },
      "without a position");
  driver::UpdateLocationRequest location;
  location.set_driver_id("grace");
  *location.add_positions() = MakePosition(kMarketStreet, 1);
  driver::UpdateLocationResponse response;
  ASSERT_TRUE(stub_->UpdateLocation(CallContext().get(), location, &response).ok());
  EXPECT_EQ(response.accepted(), 1);
  app.AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
                 "available");
  driver::DriverState state;
  ASSERT_TRUE(SetAvailability("grace", driver::AVAILABILITY_OFFLINE, &state).ok());
  EXPECT_EQ(state.status(), driver::DRIVER_STATUS_OFFLINE);
  EXPECT_EQ(state.blocked_by(), driver::BLOCKED_BY_UNSPECIFIED);
}

}  // namespace
}  // namespace hail::testing
