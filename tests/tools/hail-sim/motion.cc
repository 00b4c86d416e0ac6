#include "tests/tools/hail-sim/motion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hail::sim {
namespace {

// Driven distance ÷ straight line: the median of the 18,376 trips of 2008-05-22 in CRAWDAD epfl/mobility (path_km ÷
// straight_km).
constexpr double kCircuity = 1.2;
// Driven distance ÷ time, same trips: p50 20.3 km/h, p90 (the way to the airport) 49.7 km/h.
constexpr double kStreetMps = 20.3 / 3.6;
constexpr double kHighwayMps = 49.7 / 3.6;
// From this straight-line distance in metres on, most of the way is highway; in those trips p75 is 4 km, p90 14 km.
constexpr double kStreetM = 4'000;
constexpr double kHighwayM = 14'000;

}  // namespace

absl::Duration DriveTime(double distance_m) {
  const double share = std::clamp((distance_m - kStreetM) / (kHighwayM - kStreetM), 0.0, 1.0);
  const double speed = kStreetMps + share * (kHighwayMps - kStreetMps);
  return absl::Seconds(distance_m * kCircuity / speed);
}

void Motion::Stop(absl::Time now) {
  from_ = to_ = At(now);
  depart_ = arrive_ = absl::InfinitePast();
}

absl::Duration Motion::DriveTo(absl::Time now, const LatLng& place, absl::Duration duration) {
  from_ = At(now);
  to_ = place;
  depart_ = now;
  arrive_ = now + std::max(duration, absl::Seconds(DistanceM(from_, to_) / kTopSpeedMps));
  return arrive_ - now;
}

LatLng Motion::At(absl::Time now) const {
  if (now >= arrive_) return to_;
  if (now <= depart_) return from_;
  const double part = absl::FDivDuration(now - depart_, arrive_ - depart_);
  return {from_.latitude_deg + part * (to_.latitude_deg - from_.latitude_deg),
          from_.longitude_deg + part * (to_.longitude_deg - from_.longitude_deg)};
}

double Motion::SpeedMps(absl::Time now) const {
  return Moving(now) ? DistanceM(from_, to_) / absl::ToDoubleSeconds(arrive_ - depart_) : 0.0;
}

double Motion::HeadingDeg() const {
  const double north = to_.latitude_deg - from_.latitude_deg;
  const double east =
      (to_.longitude_deg - from_.longitude_deg) * std::cos(from_.latitude_deg * std::numbers::pi / 180.0);
  const double heading = std::atan2(east, north) * 180.0 / std::numbers::pi;
  const double turned = heading < 0 ? heading + 360.0 : heading;
  return turned < 360.0 ? turned : 0.0;
}

}  // namespace hail::sim
