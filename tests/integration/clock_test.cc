// Both services while the wall clock is set under them: timers expire when due, neither an hour late nor at once.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

using hail::type::v1::Ride;

class Clocks : public ::testing::Test {
 protected:
  Clocks() {
    Move(absl::ZeroDuration());
    for (ServiceProcess* const service : {&rider_, &driver_}) {
      service->SetEnv("LD_PRELOAD", HAIL_CLOCKSET_LIBRARY);
      service->SetEnv("CLOCKSET", file());
    }
  }

  void Begin() {
    // No process listens on the discard port.
    driver_.Set("rider_service", "127.0.0.1:9");
    ASSERT_TRUE(driver_.Start());
    rider_.Set("driver_service", driver_.internal_address());
    ASSERT_TRUE(rider_.Start());
    driver_.Kill();
    driver_.Set("rider_service", rider_.internal_address());
    ASSERT_TRUE(driver_.Start());
  }

  // Sets the wall clock under both services.
  void Move(absl::Duration by) {
    const std::int64_t nanos = absl::ToInt64Nanoseconds(by);
    const int out = open(file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_EQ(pwrite(out, &nanos, sizeof nanos, 0), static_cast<ssize_t>(sizeof nanos));
    close(out);
  }

  std::unique_ptr<DriverApp> AvailableDriver(const std::string& driver_id) {
    auto app = NewDriver(driver_, driver_id);
    app->GoAvailable(kNearFerryBuilding);
    return app;
  }

  TempDir folder_;
  ServiceProcess rider_{"rider-service"};
  ServiceProcess driver_{"driver-service"};

 private:
  std::string file() const { return folder_.path() + "/clock"; }
};

TEST_F(Clocks, SetBackMakeNoRideWaitLonger) {
  rider_.Set("ride.match_deadline", "3s");
  rider_.Set("ride.offer_time", "1s");
  Begin();
  RiderClient client(rider_);
  const Ride ride = client.MustRequest("ann");
  Move(-absl::Hours(1));
  client.WaitForRide("ann", ride.ride_id(),
                     [](const Ride& ride) { return ride.state() == type::v1::RIDE_STATE_NO_DRIVERS_AVAILABLE; });
}

TEST_F(Clocks, SetBackMakeNoOfferLastLonger) {
  rider_.Set("ride.offer_time", "3s");
  Begin();
  const auto app = AvailableDriver("driver-1");
  RiderClient client(rider_);
  client.MustRequest("ann");
  app->SendOfferReceived(app->NextOffer().offer_id());
  Move(-absl::Hours(1));
  app->NextOfferUpdate(hail::driver::v1::OFFER_STATUS_EXPIRED);
}

TEST_F(Clocks, SetBackLeaveNoOfferWithAnAppThatDoesNotAnswer) {
  Begin();
  const auto app = AvailableDriver("driver-1");
  RiderClient client(rider_);
  client.MustRequest("ann");
  app->NextOffer();
  Move(-absl::Hours(1));
  app->NextOfferUpdate(hail::driver::v1::OFFER_STATUS_REVOKED);
}

TEST_F(Clocks, SetBackLeaveNoRideWithADriverWhoHasNotSeenIt) {
  rider_.Set("ride.seen_within", "3s");
  Begin();
  const auto app = AvailableDriver("driver-1");
  RiderClient client(rider_);
  const Ride ride = client.MustRequest("ann");
  Accept(*app);
  Move(-absl::Hours(1));
  client.WaitForRide("ann", ride.ride_id(), [](const Ride& ride) { return ride.redispatch_count() == 1; });
}

TEST_F(Clocks, SetBackKeepNoSilentStream) {
  Begin();
  const auto app = NewDriver(driver_, "driver-1");
  app->Open();
  app->Next([](const DriverApp::Response& r) { return r.has_snapshot(); }, "snapshot");
  Move(-absl::Hours(1));
  app->AwaitEnd();
}

TEST_F(Clocks, SetForwardEndNothing) {
  Begin();
  const auto app = AvailableDriver("driver-1");
  RiderClient client(rider_);
  const Ride ride = client.MustRequest("ann");
  const auto offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  Move(absl::Hours(1));
  const auto result = app->Respond(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  const Ride assigned = result.state().ride();
  EXPECT_EQ(assigned.ride_id(), ride.ride_id());
  Move(absl::Hours(2));
  Advance(*app, assigned, Seen);
  Advance(*app, assigned, Arrive);
  Move(-absl::Hours(1));
  Advance(*app, assigned, Start);
  const Ride done = Advance(*app, assigned, Complete);
  EXPECT_EQ(done.state(), type::v1::RIDE_STATE_COMPLETED);
  EXPECT_EQ(done.redispatch_count(), 0);
}

TEST_F(Clocks, SetWhileTheServicesAreApartDoNotKeepThemSo) {
  Begin();
  const auto app = AvailableDriver("driver-1");
  rider_.Kill();
  Move(-absl::Hours(1));
  ASSERT_TRUE(rider_.Start());
  RiderClient client(rider_);
  client.MustRequest("ann");
  app->set_patience(absl::Seconds(30));
  Accept(*app);
}

}  // namespace
}  // namespace hail::testing
