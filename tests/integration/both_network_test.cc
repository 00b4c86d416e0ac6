// Network failures between the services: each service reaches the other through a proxy that cuts, refuses, drops,
// delays and throttles. Riders and drivers call the services directly.
#include <future>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/tcp_proxy.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

using hail::type::v1::Ride;
using hail::type::v1::RideEvent;
using ::testing::ElementsAre;

// Maximum time until a restored network is in use again: the time to detect a dead connection, and slack for a busy
// machine.
constexpr absl::Duration kRecovered = absl::Seconds(40);
// How late a deadline may be on a busy machine.
constexpr absl::Duration kSlack = absl::Seconds(3);

bool IsAvailable(const hail::driver::v1::DriverState& state) {
  return state.status() == hail::driver::v1::DRIVER_STATUS_AVAILABLE;
}
bool IsConfirming(const DriverApp::Response& response) {
  return response.has_offer_update() && response.offer_update().status() == hail::driver::v1::OFFER_STATUS_CONFIRMING;
}
// Whether the response shows the ride: by its event, or by a snapshot if the feed began anew.
bool TellsOfTheRide(const DriverApp::Response& response) {
  return (response.has_event() && response.event().type() == hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED) ||
         (response.has_snapshot() && response.snapshot().has_ride());
}
bool IsAssigned(const Ride& ride) { return ride.state() == hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP; }

class Network : public ::testing::Test {
 protected:
  Network() {
    rider_.Set("driver_service", to_driver_.address());
    driver_.Set("rider_service", to_rider_.address());
  }

  void SetUp() override {
    ASSERT_TRUE(rider_.Start());
    ASSERT_TRUE(driver_.Start());
    to_driver_.SetTarget(driver_.internal_address());
    to_rider_.SetTarget(rider_.internal_address());
    AwaitLinks(true, kRecovered);
  }

  std::unique_ptr<DriverApp> Driver(const std::string& driver_id) {
    auto app = NewDriver(driver_, driver_id);
    app->set_patience(kRecovered);
    return app;
  }

  bool LinkUp() const { return Shows(rider_, "hail_rider_dispatch_link_up 1\n"); }
  bool FeedUp() const { return Shows(driver_, "hail_driver_rider_feed_up 1\n"); }
  static bool Shows(const ServiceProcess& process, const std::string& line) {
    return HttpGet(process.metrics_address(), "/metrics").find(line) != std::string::npos;
  }

  // Waits until the dispatch link and the drivers' feed are both up, or both down; returns how long that took. Keeps
  // `app`, if any, alive meanwhile. A failure after `limit`.
  absl::Duration AwaitLinks(bool up, absl::Duration limit, DriverApp* app = nullptr) {
    const absl::Time began = absl::Now();
    absl::Time beat = began;
    while (LinkUp() != up || FeedUp() != up) {
      if (absl::Now() - began > limit) {
        ADD_FAILURE() << "after " << limit << " the link is " << (LinkUp() ? "up" : "down") << " and the feed "
                      << (FeedUp() ? "up" : "down");
        break;
      }
      if (app != nullptr && absl::Now() > beat) {
        beat = absl::Now() + absl::Seconds(2);
        app->SendPosition(kNearFerryBuilding);
      }
      // Scraping costs the services work.
      absl::SleepFor(absl::Milliseconds(50));
    }
    return absl::Now() - began;
  }

  // Drives the rest of a trip whose driver has just won it; the ride's events must then be exactly these six.
  void DriveToTheEnd(DriverApp& app, const Ride& ride, const std::string& rider_id) {
    Advance(app, ride, Seen, kRecovered);
    Advance(app, ride, Arrive, kRecovered);
    Advance(app, ride, Start, kRecovered);
    EXPECT_EQ(Advance(app, ride, Complete, kRecovered).state(), hail::type::v1::RIDE_STATE_COMPLETED);
    app.NextEvent(hail::type::v1::RIDE_EVENT_TYPE_COMPLETED);
    std::vector<hail::type::v1::RideEventType> types;
    std::vector<std::int64_t> sequences;
    for (const RideEvent& event : EventsAfter(rider_, rider_id, ride.ride_id(), 0)) {
      types.push_back(event.type());
      sequences.push_back(event.sequence());
    }
    EXPECT_THAT(types, ElementsAre(hail::type::v1::RIDE_EVENT_TYPE_REQUESTED, hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED,
                                   hail::type::v1::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN,
                                   hail::type::v1::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP,
                                   hail::type::v1::RIDE_EVENT_TYPE_STARTED, hail::type::v1::RIDE_EVENT_TYPE_COMPLETED));
    EXPECT_THAT(sequences, ElementsAre(1, 2, 3, 4, 5, 6));
  }

  // Carries rider-service's calls to driver-service: the dispatch link, searches.
  TcpProxy to_driver_;
  // Carries driver-service's calls to rider-service: confirmations, trip steps, the drivers' feed, positions.
  TcpProxy to_rider_;
  ServiceProcess rider_{"rider-service"};
  ServiceProcess driver_{"driver-service"};
};

TEST_F(Network, ConnectionsCutAtEveryStepCostNothing) {
  const auto app = Driver("driver-1");
  app->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  client.MustRequest("ann");
  const Ride ride = Accept(*app);
  for (const TripStep& step : {TripStep(Seen), TripStep(Arrive), TripStep(Start)}) {
    to_driver_.Cut();
    to_rider_.Cut();
    Advance(*app, ride, step);
  }
  DriveToTheEnd(*app, ride, "ann");
  AwaitLinks(true, kRecovered, app.get());
  app->SendPosition(kNearFerryBuilding);
  const Ride next = client.MustRequest("ann", "request-2");
  EXPECT_EQ(Accept(*app).ride_id(), next.ride_id());
}

TEST_F(Network, AnOfferIsWithdrawnWithItsLinkAndMadeAnew) {
  const auto app = Driver("driver-1");
  app->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  const Ride requested = client.MustRequest("ann");
  const auto offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  to_driver_.Cut();
  EXPECT_EQ(app->NextOfferUpdate(hail::driver::v1::OFFER_STATUS_REVOKED).reason(),
            hail::driver::v1::OFFER_REVOKE_REASON_SUPERSEDED);
  // A driver who still accepts the offer gets the reason why that is too late.
  const std::string late = app->RespondLater(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  const Ride ride = Accept(*app);
  EXPECT_EQ(app->NextResult(late).status().code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ride.ride_id(), requested.ride_id());
  EXPECT_EQ(ride.epoch(), 2);
}

TEST_F(Network, AnOfferOutlivesACutOfTheFeed) {
  const auto app = Driver("driver-1");
  app->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  client.MustRequest("ann");
  const auto offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  to_rider_.Cut();
  const auto result = app->Respond(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  EXPECT_EQ(result.state().ride().epoch(), 1);
}

TEST_F(Network, AConfirmationWhoseReplyIsCutOffIsAnsweredAndCountsOnce) {
  const auto app = Driver("driver-1");
  app->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  const Ride requested = client.MustRequest("ann");
  const auto offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  to_rider_.BlackHole(TcpProxy::Way::kBack);
  const std::string answer = app->RespondLater(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  app->Next(IsConfirming, "confirming");
  ASSERT_TRUE(client.WaitForRide("ann", requested.ride_id(), IsAssigned));
  to_rider_.Cut();
  to_rider_.Pass();
  const auto result = app->NextResult(answer);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  app->Next(TellsOfTheRide, "the ride");
  DriveToTheEnd(*app, result.state().ride(), "ann");
}

TEST_F(Network, AConfirmationWhoseReplyVanishesIsAnsweredAndCountsOnce) {
  const auto app = Driver("driver-1");
  app->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  const Ride requested = client.MustRequest("ann");
  const auto offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  to_rider_.BlackHole(TcpProxy::Way::kBack);
  const std::string answer = app->RespondLater(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  app->Next(IsConfirming, "confirming");
  ASSERT_TRUE(client.WaitForRide("ann", requested.ride_id(), IsAssigned));
  // The network is back, but the connection is dead and neither end is notified.
  to_rider_.Pass();
  const auto result = app->NextResult(answer);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  app->Next(TellsOfTheRide, "the ride");
  DriveToTheEnd(*app, result.state().ride(), "ann");
}

TEST_F(Network, AConfirmationThatVanishesIsLostWithTheReasonOnceTheRideIsCanceled) {
  const auto app = Driver("driver-1");
  app->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  const Ride requested = client.MustRequest("ann");
  const auto offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  to_rider_.BlackHole(TcpProxy::Way::kForth);
  const std::string answer = app->RespondLater(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  app->Next(IsConfirming, "confirming");
  ASSERT_TRUE(client.Cancel("ann", requested.ride_id()).ok());
  // driver-service cannot know whether its request arrived: the offer stays unsettled.
  EXPECT_EQ(app->AwaitState([](const auto& state) { return state.has_offer(); }, "with an offer").status(),
            hail::driver::v1::DRIVER_STATUS_RESERVED);
  to_rider_.Pass();
  EXPECT_EQ(app->NextOfferUpdate(hail::driver::v1::OFFER_STATUS_REVOKED).reason(),
            hail::driver::v1::OFFER_REVOKE_REASON_RIDE_CANCELED);
  EXPECT_EQ(app->NextResult(answer).status().code(), grpc::StatusCode::FAILED_PRECONDITION);
  app->SendPosition(kNearFerryBuilding);
  app->AwaitState(IsAvailable, "available again");
}

// The outcome of a call whose own deadline is far beyond the limit that a service sets.
struct Timed {
  grpc::Status status;
  absl::Duration took;
};
template <typename Call>
std::future<Timed> InBackground(Call call) {
  return std::async(std::launch::async, [call = std::move(call)] {
    const auto context = PatientContext(absl::Seconds(60));
    const absl::Time began = absl::Now();
    Timed timed;
    timed.status = call(context.get());
    timed.took = absl::Now() - began;
    return timed;
  });
}

TEST_F(Network, ABlackHoleIsNoticedAndNoCallWaitsForIt) {
  const auto on_trip = Driver("driver-1");
  const auto free = Driver("driver-2");
  on_trip->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  client.MustRequest("ann");
  const Ride ride = Accept(*on_trip);
  to_driver_.BlackHole();
  to_rider_.BlackHole();

  auto quote = InBackground([&](grpc::ClientContext* context) {
    hail::rider::v1::QuoteRideRequest request;
    request.set_rider_id("bob");
    *request.mutable_pickup() = FerryBuilding();
    *request.mutable_dropoff() = MissionDolores();
    hail::rider::v1::QuoteRideResponse response;
    return client.rides().QuoteRide(context, request, &response);
  });
  auto cars = InBackground([&](grpc::ClientContext* context) {
    hail::rider::v1::ListNearbyCarsRequest request;
    *request.mutable_position() = FerryBuilding().position();
    hail::rider::v1::ListNearbyCarsResponse response;
    return client.rides().ListNearbyCars(context, request, &response);
  });
  auto step = InBackground([&](grpc::ClientContext* context) {
    hail::driver::v1::AdvanceTripRequest request;
    request.set_driver_id("driver-1");
    request.set_ride_id(ride.ride_id());
    request.set_epoch(ride.epoch());
    Seen(request);
    hail::driver::v1::AdvanceTripResponse response;
    return on_trip->stub().AdvanceTrip(context, request, &response);
  });
  auto trips = InBackground([&](grpc::ClientContext* context) {
    hail::driver::v1::ListTripsRequest request;
    request.set_driver_id("driver-1");
    hail::driver::v1::ListTripsResponse response;
    return on_trip->stub().ListTrips(context, request, &response);
  });
  auto requested = InBackground([&](grpc::ClientContext* context) {
    hail::rider::v1::RequestRideResponse response;
    return client.rides().RequestRide(context, RiderClient::RideRequest("bob", "request-1"), &response);
  });

  // Twelve seconds of silence, checked twice a second.
  EXPECT_LT(AwaitLinks(false, absl::Seconds(15) + kSlack, on_trip.get()), absl::Seconds(15));
  // A quote needs neither drivers nor the other service, and the store is local.
  const Timed quoted = quote.get();
  EXPECT_TRUE(quoted.status.ok()) << quoted.status.error_message();
  EXPECT_LT(quoted.took, absl::Milliseconds(500) + kSlack);
  const Timed stored = requested.get();
  EXPECT_TRUE(stored.status.ok()) << stored.status.error_message();
  EXPECT_LT(stored.took, kSlack);
  const Timed seen_cars = cars.get();
  EXPECT_EQ(seen_cars.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ErrorOf(seen_cars.status).reason, "PEER_UNAVAILABLE");
  EXPECT_LT(seen_cars.took, absl::Milliseconds(500) + kSlack);
  for (auto* call : {&step, &trips}) {
    const Timed timed = call->get();
    EXPECT_THAT(timed.status.error_code(),
                ::testing::AnyOf(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::DEADLINE_EXCEEDED))
        << timed.status.error_message();
    EXPECT_LT(timed.took, absl::Seconds(10) + kSlack);
  }

  to_driver_.Pass();
  to_rider_.Pass();
  // A ride requested meanwhile gets its driver, and the trip goes on.
  AwaitLinks(true, kRecovered, on_trip.get());
  ComeOnline(*free, {37.7950, -122.3950});
  EXPECT_EQ(Accept(*free).rider_id(), "");
  on_trip->SendPosition(kNearFerryBuilding);
  DriveToTheEnd(*on_trip, ride, "ann");
}

TEST_F(Network, RefusedConnectionsAreTriedAgain) {
  const auto app = Driver("driver-1");
  to_driver_.Refuse();
  to_rider_.Refuse();
  AwaitLinks(false, absl::Seconds(5));
  RiderClient client(rider_);
  const Ride requested = client.MustRequest("ann");
  to_driver_.Pass();
  to_rider_.Pass();
  EXPECT_LT(AwaitLinks(true, kRecovered), absl::Seconds(4) + kSlack);
  ComeOnline(*app, kNearFerryBuilding);
  const Ride ride = Accept(*app);
  EXPECT_EQ(ride.ride_id(), requested.ride_id());
  DriveToTheEnd(*app, ride, "ann");
}

TEST_F(Network, ASlowNetworkCarriesRides) {
  to_driver_.Delay(absl::Milliseconds(200));
  to_rider_.Delay(absl::Milliseconds(200));
  const auto app = Driver("driver-1");
  app->GoAvailable(kNearFerryBuilding);
  RiderClient client(rider_);
  client.MustRequest("ann");
  DriveToTheEnd(*app, Accept(*app), "ann");

  // About the rate of a modem: the messages of a ride are a few kilobytes.
  to_driver_.Trickle(4000);
  to_rider_.Trickle(4000);
  app->SendPosition(kNearFerryBuilding);
  client.MustRequest("bob");
  DriveToTheEnd(*app, Accept(*app), "bob");
  EXPECT_TRUE(LinkUp() && FeedUp());
}

}  // namespace
}  // namespace hail::testing
