// Rides in each state, made by the rules themselves.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

inline const absl::Time kT0 = absl::FromUnixSeconds(1'700'000'000);

inline DriverSummary Driver(const std::string& driver_id) {
  DriverSummary driver;
  driver.set_driver_id(driver_id);
  driver.set_display_name("Dana");
  hail::type::v1::Vehicle& vehicle = *driver.mutable_vehicle();
  vehicle.set_make("Toyota");
  vehicle.set_model("Prius");
  vehicle.set_color("white");
  vehicle.set_plate("7ABC123");
  vehicle.set_seats(4);
  return driver;
}

inline Place PlaceAt(const LatLng& position, const std::string& address) {
  Place place;
  Encode(position, place.mutable_position());
  place.set_address(address);
  return place;
}

// The request of `rider_id`, not yet a ride.
inline Ride Requested(const std::string& ride_id = "ride-1", const std::string& rider_id = "rider-1",
                      const std::string& request_id = "request-1") {
  Ride ride;
  Ride::Message& record = *ride.Edit();
  record.set_ride_id(ride_id);
  record.set_rider_id(rider_id);
  record.set_request_id(request_id);
  record.set_region_id("san_francisco");
  record.set_product_id("economy");
  *record.mutable_pickup() = PlaceAt({37.7749, -122.4194}, "Civic Center");
  *record.mutable_dropoff() = PlaceAt({37.7955, -122.3937}, "Ferry Building");
  record.set_seats(2);
  Encode(Money{"USD", 12'340'000}, record.mutable_fare()->mutable_quoted());
  record.set_distance_m(4100);
  Encode(absl::Seconds(680), record.mutable_trip_duration());
  (*record.mutable_labels())["app"] = "test";
  ride.EditInternals()->set_request_fingerprint("1:abc");
  ride.set_cancellation_terms({{"USD", 5'000'000}, absl::Seconds(120)});
  return ride;
}

inline AcceptedOffer Offer(const Ride& ride, const std::string& driver_id = "driver-1",
                           const std::string& offer_id = "offer-1") {
  return {ride.epoch(), Driver(driver_id), offer_id, absl::Seconds(200)};
}

// A cancel without a note gets the note "flat tyre".
inline DriverCommand Command(const Ride& ride, TripAction action, const std::string& driver_id = "driver-1") {
  auto* cancel = std::get_if<trip::Cancel>(&action);
  if (cancel != nullptr && cancel->note.empty()) *cancel = {CancelReason::kVehicleProblem, "flat tyre"};
  return {driver_id, ride.epoch(), ride.leg(), std::move(action)};
}

inline std::vector<TripAction> AllTripActions() {
  return {trip::Seen{}, trip::Arrive{}, trip::Start{}, trip::Complete{}, trip::Wait{}, trip::Cancel{}};
}

// A ride brought to `state` by the shortest legal way, one second a step. Driver: driver-1 by offer-1.
inline Ride RideIn(RideState state, const RideRules& rules = {}, Ride request = Requested()) {
  absl::Time now = kT0;
  Ride ride = NewRide(std::move(request), rules, now).ride;
  if (state == RideState::kMatching) return ride;
  if (state == RideState::kNoDriversAvailable) return EndUnfulfilled(ride, ride.epoch(), *ride.match_deadline()).ride;
  if (state == RideState::kCanceled) return CancelByRider(ride, CancelReason::kChangedPlans, "", now)->ride;
  ride = Assign(ride, Offer(ride), RideRules(), now += absl::Seconds(1))->ride;
  if (state == RideState::kEnrouteToPickup) return ride;
  ride = TakeStep(ride, Command(ride, trip::Arrive{}), rules, now += absl::Seconds(1))->ride;
  if (state == RideState::kArrivedAtPickup) return ride;
  ride = TakeStep(ride, Command(ride, trip::Start{}), rules, now += absl::Seconds(1))->ride;
  if (state == RideState::kEnrouteToDropoff) return ride;
  return TakeStep(ride, Command(ride, trip::Complete{}), rules, now += absl::Seconds(1))->ride;
}

inline constexpr RideState kAllStates[] = {
    RideState::kMatching,  RideState::kEnrouteToPickup,    RideState::kArrivedAtPickup, RideState::kEnrouteToDropoff,
    RideState::kCompleted, RideState::kNoDriversAvailable, RideState::kCanceled};

}  // namespace hail::rider
