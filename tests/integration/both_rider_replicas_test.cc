// Two replicas of rider-service that share a PostgreSQL and a NATS server, and a driver-service that calls both.
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/engines/nats_server.h"
#include "tests/engines/postgres_server.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

using hail::rider::v1::WatchRideResponse;
using hail::type::v1::Ride;
using ::testing::ElementsAre;

class RiderReplicas : public ::testing::Test {
 protected:
  RiderReplicas() {
    nats_.Start();
    EXPECT_TRUE(driver_.Start());
    for (ServiceProcess* rider : {&one_, &other_}) {
      rider->Set("store.url", postgres_.url());
      rider->Set("bus.url", nats_.url());
      rider->Set("driver_service", driver_.internal_address());
      EXPECT_TRUE(rider->Start());
    }
    CallBoth();
    app_ = NewDriver(driver_, "driver-1");
  }

  // Configures driver-service with the addresses of both replicas.
  void CallBoth() {
    EXPECT_EQ(driver_.Terminate(), 0);
    driver_.Set("rider_service", absl::StrCat("ipv4:", one_.internal_address(), ",", other_.internal_address()));
    EXPECT_TRUE(driver_.Start());
  }

  // The next message that is no position.
  static WatchRideResponse NextOf(Watch& watch) {
    auto next = watch.Next();
    while (next && next->has_telemetry()) next = watch.Next();
    if (!next) ADD_FAILURE() << "the stream has ended";
    return next.value_or(WatchRideResponse());
  }

  PostgresServer postgres_;
  NatsServer nats_;
  ServiceProcess driver_{"driver-service"};
  ServiceProcess one_{"rider-service"};
  ServiceProcess other_{"rider-service"};
  std::unique_ptr<DriverApp> app_;
};

TEST_F(RiderReplicas, ATripIsSeenAtBothAlike) {
  app_->GoAvailable(kNearFerryBuilding);
  RiderClient here(one_), there(other_);
  const std::string ride_id = here.MustRequest("ann").ride_id();
  Watch at_one(here.rides(), "ann", ride_id);
  Watch at_other(there.rides(), "ann", ride_id, 0);
  EXPECT_TRUE(NextOf(at_one).has_snapshot());
  const Ride ride = Accept(*app_);
  Advance(*app_, ride, Seen);
  // The driver's positions go to one of the replicas.
  app_->SendPosition(kNearFerryBuilding);
  for (Watch* watch : {&at_one, &at_other}) {
    auto next = watch->Next();
    while (next && !next->has_telemetry()) next = watch->Next();
    EXPECT_TRUE(next) << "no position came";
  }
  Advance(*app_, ride, Arrive);
  Advance(*app_, ride, Start);
  Advance(*app_, ride, Complete);
  while (NextOf(at_one).event().sequence() < 6) {
  }
  while (NextOf(at_other).event().sequence() < 6) {
  }
  EXPECT_THAT(SequencesAfter(one_, "ann", ride_id, 0), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(SequencesAfter(other_, "ann", ride_id, 2), ElementsAre(3, 4, 5, 6));
}

TEST_F(RiderReplicas, ARideCanceledAtTheOtherIsWithdrawnFromItsDriver) {
  app_->GoAvailable(kNearFerryBuilding);
  RiderClient here(one_), there(other_);
  const std::string ride_id = here.MustRequest("ann").ride_id();
  const auto offer = app_->NextOffer();
  ASSERT_TRUE(there.Cancel("ann", ride_id).ok());
  EXPECT_EQ(app_->NextOfferUpdate(hail::driver::v1::OFFER_STATUS_REVOKED).reason(),
            hail::driver::v1::OFFER_REVOKE_REASON_RIDE_CANCELED);
  // The same request finds the same ride at either replica.
  const auto again = there.Request(RiderClient::RideRequest("ann", "request-1"));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.response.ride().ride_id(), ride_id);
}

TEST_F(RiderReplicas, RidesOfOneThatDiedAreTakenOver) {
  RiderClient here(one_), there(other_);
  const std::string ride_id = here.MustRequest("ann").ride_id();
  one_.Kill();
  ComeOnline(*app_, kNearFerryBuilding);
  app_->set_patience(absl::Seconds(30));
  const Ride ride = Accept(*app_);
  EXPECT_EQ(ride.ride_id(), ride_id);
  EXPECT_GT(ride.epoch(), 1);
  Advance(*app_, ride, Seen);
  Advance(*app_, ride, Arrive);
  Advance(*app_, ride, Start);
  Advance(*app_, ride, Complete);
  EXPECT_THAT(SequencesAfter(other_, "ann", ride_id, 0), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(RiderReplicas, OneThatIsEndedHandsItsRidesOverAtOnce) {
  RiderClient here(one_);
  const std::string ride_id = here.MustRequest("ann").ride_id();
  ASSERT_EQ(one_.Terminate(), 0);
  EXPECT_EQ(postgres_.Ask("SELECT COUNT(*) FROM hail_rider.leases WHERE lease_end > clock_timestamp()"),
            (Table{{"1"}}));
  ComeOnline(*app_, kNearFerryBuilding);
  EXPECT_EQ(Accept(*app_).ride_id(), ride_id);
}

TEST_F(RiderReplicas, OneThatWasFrozenFindsItsRidesTakenOver) {
  RiderClient here(one_);
  const std::string ride_id = here.MustRequest("ann").ride_id();
  one_.Signal(SIGSTOP);
  // The lease of the first replica expires, and the other one starts the ride at a new epoch.
  const auto epoch = [&] { return postgres_.Ask("SELECT epoch FROM hail_rider.rides")[0][0]; };
  for (int i = 0; epoch() == "1"; ++i) {
    ASSERT_LT(i, 600) << "nobody took it over: " << other_.Log();
    absl::SleepFor(absl::Milliseconds(50));
  }
  one_.Signal(SIGCONT);
  ComeOnline(*app_, kNearFerryBuilding);
  const Ride ride = Accept(*app_);
  EXPECT_EQ(ride.ride_id(), ride_id);
  EXPECT_EQ(ride.epoch(), 2) << "nobody took it back";
}

TEST_F(RiderReplicas, WithoutABusTheStoreTellsThem) {
  nats_.Kill();
  app_->GoAvailable(kNearFerryBuilding);
  RiderClient here(one_), there(other_);
  const std::string ride_id = here.MustRequest("ann").ride_id();
  Watch at_other(there.rides(), "ann", ride_id);
  EXPECT_TRUE(NextOf(at_other).has_snapshot());
  const Ride ride = Accept(*app_);
  for (const auto& step : {Seen, Arrive, Start, Complete}) Advance(*app_, ride, step);
  std::int64_t expected = 2;
  while (expected <= 6) EXPECT_EQ(NextOf(at_other).event().sequence(), expected++);
}

TEST_F(RiderReplicas, WithoutABusARideCanceledAtTheOtherIsWithdrawnBeforeItsOfferExpires) {
  nats_.Kill();
  app_->GoAvailable(kNearFerryBuilding);
  RiderClient here(one_), there(other_);
  const std::string ride_id = here.MustRequest("ann").ride_id();
  app_->NextOffer();
  ASSERT_TRUE(there.Cancel("ann", ride_id).ok());
  EXPECT_EQ(app_->NextOfferUpdate(hail::driver::v1::OFFER_STATUS_REVOKED).reason(),
            hail::driver::v1::OFFER_REVOKE_REASON_RIDE_CANCELED);
}

TEST_F(RiderReplicas, TheFeedLeavesOneThatCannotReadTheStore) {
  // Each has its own database user, so that the test can shut one of them out.
  for (const auto& [rider, name] : {std::pair{&one_, "one"}, {&other_, "other"}}) {
    postgres_.Ask(absl::StrCat("CREATE ROLE ", name, " SUPERUSER LOGIN"));
    ASSERT_EQ(rider->Terminate(), 0);
    std::string url = postgres_.url();
    rider->Set("store.url", url.replace(url.find("//") + 2, url.find('@') - url.find("//") - 2, name));
    ASSERT_TRUE(rider->Start());
  }
  app_->GoAvailable(kNearFerryBuilding);
  const auto feeds = [](const ServiceProcess& rider) {
    return HttpGet(rider.metrics_address(), "/metrics").find("hail_rider_streams{method=\"WatchDrivers\"} 1") !=
           std::string::npos;
  };
  ASSERT_NE(feeds(one_), feeds(other_));
  const bool at_one = feeds(one_);
  const std::string shut_out = at_one ? "one" : "other";
  postgres_.Ask("ALTER ROLE " + shut_out + " NOLOGIN");
  postgres_.Ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + shut_out + "'");

  const auto newcomer = NewDriver(driver_, "driver-2");
  newcomer->set_patience(absl::Seconds(60));
  newcomer->GoAvailable(kNearFerryBuilding);
  app_->SetAvailability(hail::driver::v1::AVAILABILITY_OFFLINE);
  const std::string ride_id = RiderClient(at_one ? other_ : one_).MustRequest("ann").ride_id();
  EXPECT_EQ(Accept(*newcomer).ride_id(), ride_id);
}

}  // namespace
}  // namespace hail::testing
