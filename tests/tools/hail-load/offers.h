// A fleet on the road: how long a request takes to reach a driver, and a driver's position to reach a rider.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/tools/hail-load/histogram.h"

namespace hail::load {

struct OffersPlan {
  std::string rider_address;
  std::string driver_address;
  int drivers = 10'000;
  // Shared TCP connections.
  int connections = 100;
  // Each driver sends its position at this interval.
  absl::Duration beat = absl::Seconds(4);
  // Requests a second; each ride is driven to its end at once.
  double rate = 100;
  // Rides that go on meanwhile, each with its rider watching.
  int watched = 100;
  absl::Duration warm_up = absl::Seconds(5);
  absl::Duration length = absl::Seconds(20);
};

struct Offers {
  // From the intended send time of a request until its offer was on a driver's stream.
  Histogram offer;
  // From the instant a driver passed its position to its stream until it was on the rider's stream.
  Histogram position;
  // From the intended send time of a request until its answer.
  Histogram answer;
  // Requests refused or failed; rides without an offer.
  std::int64_t failed = 0;
  std::int64_t without_offer = 0;
};

// UNAVAILABLE if the fleet or the watched rides do not start.
absl::StatusOr<Offers> MeasureOffers(const OffersPlan& plan);

}  // namespace hail::load
