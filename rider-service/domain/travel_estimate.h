// How long and how far a car drives between two points, from nothing but their distance and the hour.
#pragma once

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::rider {

struct Trip {
  double distance_m = 0;
  absl::Duration duration;
};

// Great-circle distance × circuity ÷ the usual speed at the local solar hour of `from` at `departure` (domain time).
// Solar time (UTC + longitude ÷ 15 hours) is within about an hour of the civil clock, which is as good as the speeds.
Trip EstimateTrip(const LatLng& from, const LatLng& to, absl::Time departure);

}  // namespace hail::rider
