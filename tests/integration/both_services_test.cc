// Rides through both services, on each kind of store, over the public API only; either service restarts in the middle
// of a ride.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/engines/postgres_server.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

using hail::type::v1::Ride;
using hail::type::v1::RideEvent;
using ::testing::ElementsAre;

enum class StoreKind { kEmbedded, kPostgres };

class Both : public ::testing::TestWithParam<StoreKind> {
 protected:
  Both() : services_(Settings(), Settings()) {}
  void SetUp() override { ASSERT_TRUE(services_.rider.running() && services_.driver.running()); }

  std::unique_ptr<DriverApp> NewDriver(const std::string& driver_id) {
    return hail::testing::NewDriver(services_.driver, driver_id);
  }
  std::vector<std::int64_t> EventsAfter(const std::string& rider_id, const std::string& ride_id, std::int64_t cursor) {
    return SequencesAfter(services_.rider, rider_id, ride_id, cursor);
  }

  // The store settings of a service; both share one database.
  std::map<std::string, std::string> Settings() {
    if (GetParam() == StoreKind::kEmbedded) return {};
    if (!postgres_) postgres_.emplace();
    return {{"store.url", postgres_->url()}};
  }

  std::optional<PostgresServer> postgres_;
  BothServices services_;
};

INSTANTIATE_TEST_SUITE_P(On, Both, ::testing::Values(StoreKind::kEmbedded, StoreKind::kPostgres),
                         [](const auto& kind) { return kind.param == StoreKind::kEmbedded ? "Embedded" : "Postgres"; });

TEST_P(Both, ARideGoesThroughBothServices) {
  const auto driver = NewDriver("driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services_.rider);
  const Ride requested = client.MustRequest("ann");
  Watch watch(client.rides(), "ann", requested.ride_id());
  ASSERT_TRUE(watch.Next()->has_snapshot());

  const Ride ride = Accept(*driver);
  auto update = watch.Next();
  ASSERT_TRUE(update && update->has_event());
  EXPECT_EQ(update->event().type(), hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED);
  EXPECT_EQ(update->event().ride().driver().display_name(), "Ada");
  EXPECT_GT(update->event().ride().pickup_eta().seconds(), 0);
  Advance(*driver, ride, Seen);
  driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN);
  update = watch.Next();
  ASSERT_TRUE(update && update->has_event());

  // The rider sees the car move.
  driver->SendPosition(kNearFerryBuilding);
  update = watch.Next();
  ASSERT_TRUE(update && update->has_telemetry()) << update->ShortDebugString();
  EXPECT_NEAR(update->telemetry().position().location().latitude_deg(), kNearFerryBuilding.latitude_deg, 1e-6);

  Advance(*driver, ride, Arrive);
  Advance(*driver, ride, Start);
  const Ride completed = Advance(*driver, ride, Complete);
  EXPECT_EQ(completed.state(), hail::type::v1::RIDE_STATE_COMPLETED);
  EXPECT_EQ(completed.rider_id(), "");
  driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_COMPLETED);
  driver->AwaitState([](const auto& state) { return state.status() == hail::driver::v1::DRIVER_STATUS_AVAILABLE; },
                     "available again");
  EXPECT_THAT(EventsAfter("ann", requested.ride_id(), 0), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_P(Both, TheDriverReadsTheRidersNoteAndName) {
  const auto driver = NewDriver("driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services_.rider);
  auto request = RiderClient::RideRequest("ann", "request-1");
  request.mutable_pickup()->set_note("blue door");
  request.set_rider_display_name("Ann");
  const auto requested = client.Request(request);
  ASSERT_TRUE(requested.ok()) << requested.status.error_message();

  const auto reads = [](const auto& shown) {
    EXPECT_EQ(shown.pickup().note(), "blue door");
    EXPECT_EQ(shown.dropoff().note(), "");
    EXPECT_EQ(shown.rider_display_name(), "Ann");
  };
  reads(requested.response.ride());
  const auto offer = driver->NextOffer();
  reads(offer);
  driver->SendOfferReceived(offer.offer_id());
  reads(driver->Respond(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT).state().ride());
  reads(driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED).ride());
  reads(client.Get("ann", requested.response.ride().ride_id()).response.ride());
}

TEST_P(Both, TheRiderReadsThatTheDriverWaits) {
  const auto driver = NewDriver("driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services_.rider);
  const Ride requested = client.MustRequest("ann");
  const Ride ride = Accept(*driver);
  Advance(*driver, ride, Arrive);

  const auto wait = [](auto reason) {
    return [reason](hail::driver::v1::AdvanceTripRequest& request) { request.mutable_wait()->set_reason(reason); };
  };
  const Ride waiting = Advance(*driver, ride, wait(hail::type::v1::WAIT_REASON_BOARDING));
  EXPECT_EQ(waiting.state(), hail::type::v1::RIDE_STATE_ARRIVED_AT_PICKUP);
  EXPECT_EQ(waiting.sequence(), 4);
  EXPECT_EQ(Advance(*driver, ride, wait(hail::type::v1::WAIT_REASON_BOARDING)).sequence(), 4);
  // The other way, on the stream.
  DriverApp::Request command;
  command.mutable_advance_trip()->set_ride_id(ride.ride_id());
  command.mutable_advance_trip()->set_epoch(ride.epoch());
  wait(hail::type::v1::WAIT_REASON_OTHER)(*command.mutable_advance_trip());
  const auto result = driver->Command(command);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  EXPECT_EQ(result.state().ride().wait().reason(), hail::type::v1::WAIT_REASON_OTHER);
  EXPECT_EQ(driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_WAITING).sequence(), 4);

  Advance(*driver, ride, Start);
  EXPECT_FALSE(Advance(*driver, ride, Complete).has_wait());
  const auto events = hail::testing::EventsAfter(services_.rider, "ann", requested.ride_id(), 3);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].type(), hail::type::v1::RIDE_EVENT_TYPE_WAITING);
  EXPECT_EQ(events[0].ride().wait().reason(), hail::type::v1::WAIT_REASON_BOARDING);
  EXPECT_EQ(events[1].type(), hail::type::v1::RIDE_EVENT_TYPE_WAITING);
  EXPECT_EQ(events[1].ride().wait().reason(), hail::type::v1::WAIT_REASON_OTHER);
  EXPECT_EQ(events[2].type(), hail::type::v1::RIDE_EVENT_TYPE_STARTED);
}

TEST_P(Both, ARideSurvivesARestartOfEitherServiceInItsMiddle) {
  auto driver = NewDriver("driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  std::string ride_id;
  {
    RiderClient client(services_.rider);
    ride_id = client.MustRequest("ann").ride_id();
  }
  const Ride ride = Accept(*driver);
  Advance(*driver, ride, Seen);

  services_.rider.Kill();
  ASSERT_TRUE(services_.rider.Start());
  Advance(*driver, ride, Arrive);
  driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP);

  services_.driver.Kill();
  ASSERT_TRUE(services_.driver.Start());
  // The new process knows only the driver's profile; rider-service supplies the ride.
  driver->Resume(ride_id, 4);
  const auto snapshot =
      driver->Next([](const auto& response) { return response.has_snapshot() && response.snapshot().has_ride(); },
                   "a snapshot with the ride");
  EXPECT_EQ(snapshot.snapshot().status(), hail::driver::v1::DRIVER_STATUS_ON_TRIP);
  EXPECT_EQ(snapshot.snapshot().ride().ride_id(), ride_id);
  Advance(*driver, ride, Start);
  Advance(*driver, ride, Complete);
  driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_COMPLETED);
  EXPECT_THAT(EventsAfter("ann", ride_id, 0), ElementsAre(1, 2, 3, 4, 5, 6));

  // Both services go on as before: the same driver gets the next ride.
  driver->SendPosition(kNearFerryBuilding);
  RiderClient client(services_.rider);
  const Ride next = client.MustRequest("ann", "request-2");
  EXPECT_EQ(Accept(*driver).ride_id(), next.ride_id());
}

TEST_P(Both, ARideThatWaitsSurvivesARestartOfEitherService) {
  std::string ride_id;
  {
    RiderClient client(services_.rider);
    ride_id = client.MustRequest("ann").ride_id();
  }
  services_.rider.Kill();
  ASSERT_TRUE(services_.rider.Start());
  services_.driver.Kill();
  ASSERT_TRUE(services_.driver.Start());
  const auto driver = NewDriver("driver-1");
  ComeOnline(*driver, kNearFerryBuilding);
  const Ride ride = Accept(*driver);
  EXPECT_EQ(ride.ride_id(), ride_id);
  EXPECT_GT(ride.epoch(), 1);
}

TEST_P(Both, ACanceledRideFreesItsDriver) {
  const auto driver = NewDriver("driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services_.rider);
  const Ride requested = client.MustRequest("ann");
  Accept(*driver);
  ASSERT_TRUE(client.Cancel("ann", requested.ride_id()).ok());
  const RideEvent event = driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_CANCELED);
  EXPECT_EQ(event.ride().cancellation().actor(), hail::type::v1::CANCEL_ACTOR_RIDER);
  driver->AwaitState([](const auto& state) { return state.status() == hail::driver::v1::DRIVER_STATUS_AVAILABLE; },
                     "available again");
}

TEST_P(Both, AnOfferIsWithdrawnWhenItsRideIsCanceled) {
  const auto driver = NewDriver("driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services_.rider);
  const Ride requested = client.MustRequest("ann");
  const auto offer = driver->NextOffer();
  driver->SendOfferReceived(offer.offer_id());
  ASSERT_TRUE(client.Cancel("ann", requested.ride_id()).ok());
  const auto update = driver->NextOfferUpdate(hail::driver::v1::OFFER_STATUS_REVOKED);
  EXPECT_EQ(update.reason(), hail::driver::v1::OFFER_REVOKE_REASON_RIDE_CANCELED);
  const auto late = driver->Respond(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(late.status().code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_P(Both, ARefusedRideGoesToTheNextDriverAndNotBack) {
  const auto near = NewDriver("driver-near");
  const auto far = NewDriver("driver-far");
  near->GoAvailable(kNearFerryBuilding);
  far->GoAvailable({37.7885, -122.4010});
  RiderClient client(services_.rider);
  const Ride requested = client.MustRequest("ann");
  const auto offer = near->NextOffer();
  near->SendOfferReceived(offer.offer_id());
  EXPECT_EQ(near->Respond(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_DECLINE).status().code(), 0);
  const Ride first = Accept(*far);
  EXPECT_EQ(first.ride_id(), requested.ride_id());

  // The second driver gives the ride up: no other driver is left, and the rider gets the event of a new search.
  Watch watch(client.rides(), "ann", requested.ride_id(), 2);
  ASSERT_TRUE(watch.Next()->has_caught_up());
  Advance(*far, first, GiveUp);
  auto update = watch.Next();
  while (update && update->has_telemetry()) update = watch.Next();
  ASSERT_TRUE(update && update->has_event());
  EXPECT_EQ(update->event().type(), hail::type::v1::RIDE_EVENT_TYPE_REDISPATCHED);
  EXPECT_EQ(update->event().reason(), hail::type::v1::CANCEL_REASON_VEHICLE_PROBLEM);
  EXPECT_EQ(update->event().ride().epoch(), 2);
  const auto third = NewDriver("driver-third");
  ComeOnline(*third, {37.7880, -122.4020});
  EXPECT_EQ(Accept(*third).epoch(), 2);
}

}  // namespace
}  // namespace hail::testing
