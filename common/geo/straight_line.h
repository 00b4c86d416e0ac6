// Estimates how far and how long a car drives between two points, from their distance and the hour only. Both services
// use it, so that quote, offer and live ETA of the same way agree.
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

// The hour of the day at `place`, 0..23, in local solar time (UTC + longitude ÷ 15°). This is close enough to local
// time for traffic, and needs no time-zone data.
int LocalHour(const LatLng& place, absl::Time time);

// The model of a city's streets where there is no map.
struct StraightLine {
  // Length of the road ÷ straight line.
  double circuity = 1.2;
  // Metres per second by local hour 0..23; straight_line.cc names the source.
  std::array<double, 24> speed_mps;

  StraightLine();

  // Straight line × circuity ÷ speed of the local hour at `from`. `departure` is domain time.
  TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const;
};

}  // namespace hail
