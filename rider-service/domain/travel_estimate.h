// Estimates time and distance of a trip.
#pragma once

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::rider {

struct Trip {
  double distance_m = 0;
  absl::Duration duration;
};

// By the straight-line model (common/geo/straight_line.h), which driver-service also uses where it has no street map;
// in whole seconds, like all times shown to people. `departure` is domain time.
Trip EstimateTrip(const LatLng& from, const LatLng& to, absl::Time departure);

}  // namespace hail::rider
