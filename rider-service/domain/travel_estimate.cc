#include "rider-service/domain/travel_estimate.h"

#include "common/geo/straight_line.h"

namespace hail::rider {

Trip EstimateTrip(const LatLng& from, const LatLng& to, absl::Time departure) {
  const TravelEstimate estimate = StraightLine().Estimate(from, to, departure);
  return {estimate.distance_m, absl::Trunc(estimate.time, absl::Seconds(1))};
}

}  // namespace hail::rider
