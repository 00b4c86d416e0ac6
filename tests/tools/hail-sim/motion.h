// How a simulated car gets about.
#pragma once

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::sim {

// A car that stands or drives straight from one place to another at an even speed. What streets add to the way is in
// the time it takes. All times are domain time.
class Motion {
 public:
  explicit Motion(LatLng place) : from_(place), to_(place) {}

  // Stands where it is at `now`.
  void Stop(absl::Time now);
  // Drives from where it is at `now`, taking `duration`, or longer if no car is that fast. Returns how long it takes.
  absl::Duration DriveTo(absl::Time now, const LatLng& place, absl::Duration duration);

  LatLng At(absl::Time now) const;
  bool Moving(absl::Time now) const { return now < arrive_; }
  // Metres per second along the straight line.
  double SpeedMps(absl::Time now) const;
  // Degrees clockwise from north, in [0, 360).
  double HeadingDeg() const;

 private:
  LatLng from_;
  LatLng to_;
  absl::Time depart_ = absl::InfinitePast();
  absl::Time arrive_ = absl::InfinitePast();
};

// How long a car takes for `distance_m` of straight line, through streets.
absl::Duration DriveTime(double distance_m);

// No simulated car is faster than this along the straight line, in metres per second.
inline constexpr double kTopSpeedMps = 33.0;

}  // namespace hail::sim
