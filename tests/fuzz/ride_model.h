// Rides for fuzz targets: their initial states, and commands built from an input's bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rider-service/domain/ride.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {

inline const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

// One of a few drivers.
inline std::string DriverId(int number) { return std::string("driver-") + static_cast<char>('0' + number); }

// A ride that has just been asked for.
inline rider::RideChange AskedFor(const std::string& ride_id, const rider::RideRules& rules, absl::Time now) {
  rider::Ride ride;
  rider::Ride::Message& record = *ride.Edit();
  record.set_ride_id(ride_id);
  record.set_rider_id("rider-of-" + ride_id);
  record.set_request_id("request-1");
  record.set_region_id("san_francisco");
  record.set_product_id("economy");
  rider::Encode(LatLng{37.7955, -122.3937}, record.mutable_pickup()->mutable_position());
  record.mutable_pickup()->set_address("Ferry Building");
  rider::Encode(LatLng{37.7879, -122.4075}, record.mutable_dropoff()->mutable_position());
  record.mutable_dropoff()->set_address("Union Square");
  rider::Encode(rider::Money{"USD", 7'000'000}, record.mutable_fare()->mutable_quoted());
  record.set_distance_m(1900);
  rider::Encode(absl::Seconds(202), record.mutable_trip_duration());
  (*record.mutable_labels())["purpose"] = "test";
  ride.EditInternals()->set_request_fingerprint("1:00");
  ride.set_cancellation_terms({{"USD", 5'000'000}, absl::Minutes(2)});
  return rider::NewRide(std::move(ride), rules, now);
}

// Any command on a ride, mostly close to one that fits its present state.
inline absl::StatusOr<rider::RideChange> AnyCommand(Input& input, const rider::Ride& ride,
                                                    const rider::RideRules& rules, absl::Time now) {
  const int command = input.Below(8);
  // Mostly the present epoch.
  static constexpr int kOff[] = {0, 0, 0, 0, 0, -1, 1, 2};
  const std::int64_t epoch = ride.epoch() + kOff[input.Below(8)];
  const int driver = input.Below(4);
  switch (command) {
    case 0: {
      rider::AcceptedOffer assignment;
      assignment.epoch = epoch;
      rider::DriverSummary& who = assignment.driver;
      who.set_driver_id(DriverId(driver));
      who.set_display_name("Grace");
      who.mutable_vehicle()->set_make("Toyota");
      who.mutable_vehicle()->set_model("Prius");
      who.mutable_vehicle()->set_color("green");
      who.mutable_vehicle()->set_plate("7ABC123");
      who.mutable_vehicle()->set_seats(4);
      assignment.offer_id = "offer-" + std::to_string(input.Below(4));
      if (input.Coin()) assignment.pickup_eta = absl::Seconds(input.Below(256));
      return rider::Assign(ride, assignment, rules, now);
    }
    case 1:
    case 2: {
      rider::DriverCommand step;
      const bool own = ride.driver() != nullptr && driver != 3;
      step.driver_id = own ? ride.driver()->driver_id() : DriverId(driver);
      step.epoch = epoch;
      step.leg = ride.leg() + kOff[input.Below(8)];
      const int action = input.Below(7);
      rider::trip::Cancel cancel;
      cancel.reason = static_cast<rider::CancelReason>(input.Below(12));
      cancel.note = input.Coin() ? "a note" : "";
      const rider::trip::Wait wait{static_cast<type::v1::WaitReason>(input.Below(3))};
      const rider::TripAction actions[] = {rider::trip::None{},
                                           rider::trip::Seen{},
                                           rider::trip::Arrive{},
                                           rider::trip::Start{},
                                           rider::trip::Complete{},
                                           cancel,
                                           wait};
      step.action = actions[action];
      return rider::TakeStep(ride, step, rules, now);
    }
    case 3:
      return rider::CancelByRider(ride, static_cast<rider::CancelReason>(input.Below(12)), "", now);
    case 4:
      return rider::ExpireUnacknowledged(ride, epoch, rules, now);
    case 5:
      return rider::EndUnfulfilled(ride, epoch, now);
    case 6:
      return rider::RaiseEpoch(ride, epoch);
    default:
      return rider::Resolve(ride, input.Coin() ? rider::Resolution::kComplete : rider::Resolution::kCancel, "operator",
                            now);
  }
}

}  // namespace hail::fuzz
