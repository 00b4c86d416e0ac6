// How far and how long a car drives between two points, from nothing but their distance and the hour. Both services
// estimate by it, so that a quote, an offer and a live ETA of the same way say the same.
#pragma once

#include <array>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail {

struct TravelEstimate {
  absl::Duration time = absl::ZeroDuration();
  // Along the road.
  double distance_m = 0;
};

// Of the day at `place`, 0..23, in local solar time (UTC + longitude ÷ 15°): close enough to the clock on the wall for
// traffic, and needs no time-zone data.
int LocalHour(const LatLng& place, absl::Time time);

// What is known of a city's streets where there is no map of them.
struct StraightLine {
  // Length of the road ÷ straight line.
  double circuity = 1.2;
  // Metres per second by local hour 0..23: see straight_line.cc for where they are from.
  std::array<double, 24> speed_mps;

  StraightLine();

  // Straight line × circuity ÷ speed of the local hour where the way begins. `departure` is domain time.
  TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const;
};

}  // namespace hail
