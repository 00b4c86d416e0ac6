// How long and how far a car drives on a trip.
#pragma once

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::rider {

struct Trip {
  double distance_m = 0;
  absl::Duration duration;
};

// By the straight line's model (common/geo/straight_line.h), which is also driver-service's where it has no map of the
// streets; in whole seconds, as all times that people are shown. `departure` is domain time.
Trip EstimateTrip(const LatLng& from, const LatLng& to, absl::Time departure);

}  // namespace hail::rider
