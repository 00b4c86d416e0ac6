#include "common/geo/straight_line.h"

#include <cmath>
#include <cstddef>

namespace hail {

int LocalHour(const LatLng& place, absl::Time time) {
  const absl::Duration since_epoch = time - absl::UnixEpoch() + absl::Hours(place.longitude_deg / 15.0);
  const double hours = std::floor(absl::FDivDuration(since_epoch, absl::Hours(1)));
  return static_cast<int>(hours - 24 * std::floor(hours / 24));
}

// Circuity and speeds: medians of 17,938 taxi trips in San Francisco on Thursday 22 May 2008 (CRAWDAD epfl/mobility),
// each trip's GPS path over its duration, by local hour; path over straight line for the circuity.
StraightLine::StraightLine()
    : speed_mps{6.8, 6.7, 7.5, 8.7, 7.9, 7.0, 5.5, 4.9, 5.4, 5.8, 5.6, 5.5,
                5.4, 5.3, 5.2, 5.1, 4.7, 5.0, 5.6, 5.9, 5.8, 6.0, 6.3, 6.6} {}

TravelEstimate StraightLine::Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const {
  TravelEstimate estimate;
  estimate.distance_m = circuity * DistanceM(from, to);
  estimate.time = absl::Seconds(estimate.distance_m / speed_mps[static_cast<std::size_t>(LocalHour(from, departure))]);
  return estimate;
}

}  // namespace hail
