#include "driver-service/domain/travel_times.h"

namespace hail::driver {

std::vector<TravelEstimate> TravelTimes::EstimateTo(std::span<const LatLng> from, const LatLng& to,
                                                    absl::Time departure) const {
  std::vector<TravelEstimate> estimates;
  estimates.reserve(from.size());
  for (const LatLng& place : from) estimates.push_back(Estimate(place, to, departure));
  return estimates;
}

TravelEstimate StraightLineTravelTimes::Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const {
  return options_.Estimate(from, to, departure);
}

}  // namespace hail::driver
