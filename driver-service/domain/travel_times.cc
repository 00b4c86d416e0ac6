#include "driver-service/domain/travel_times.h"

#include <cmath>

namespace hail::driver {

int LocalHour(const LatLng& place, absl::Time time) {
  const absl::Duration since_epoch = time - absl::UnixEpoch() + absl::Hours(place.longitude_deg / 15.0);
  const double hours = std::floor(absl::FDivDuration(since_epoch, absl::Hours(1)));
  return static_cast<int>(hours - 24 * std::floor(hours / 24));
}

std::vector<TravelEstimate> TravelTimes::EstimateTo(std::span<const LatLng> from, const LatLng& to,
                                                    absl::Time departure) const {
  std::vector<TravelEstimate> estimates;
  estimates.reserve(from.size());
  for (const LatLng& place : from) estimates.push_back(Estimate(place, to, departure));
  return estimates;
}

// Circuity and speeds: medians of 17,938 taxi trips in San Francisco on Thursday 22 May 2008 (CRAWDAD epfl/mobility),
// each trip's GPS path over its duration, by local hour; path over straight line for the circuity.
StraightLineTravelTimes::Options::Options()
    : speed_mps{6.8, 6.7, 7.5, 8.7, 7.9, 7.0, 5.5, 4.9, 5.4, 5.8, 5.6, 5.5,
                5.4, 5.3, 5.2, 5.1, 4.7, 5.0, 5.6, 5.9, 5.8, 6.0, 6.3, 6.6} {}

TravelEstimate StraightLineTravelTimes::Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const {
  TravelEstimate estimate;
  estimate.distance_m = options_.circuity * DistanceM(from, to);
  const double speed_mps = options_.speed_mps[static_cast<std::size_t>(LocalHour(from, departure))];
  estimate.time = absl::Seconds(estimate.distance_m / speed_mps);
  return estimate;
}

}  // namespace hail::driver
