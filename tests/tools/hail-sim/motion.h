// The movement of a simulated car.
#pragma once

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::sim {

// A car that stands or drives straight from one place to another at a constant speed. The driving time accounts for the
// detour by streets. All times are domain time.
class Motion {
 public:
  explicit Motion(LatLng place) : from_(place), to_(place) {}

  // Stops at its position at `now`.
  void Stop(absl::Time now);
  // Drives from its position at `now`, taking `duration`, or longer if no car is that fast. Returns the driving time.
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

// The driving time through streets for `distance_m` of straight line.
absl::Duration DriveTime(double distance_m);

// The top speed of simulated cars along the straight line, in metres per second.
inline constexpr double kTopSpeedMps = 33.0;

}  // namespace hail::sim
