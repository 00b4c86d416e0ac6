#include "rider-service/domain/travel_estimate.h"

#include <array>
#include <cmath>

namespace hail::rider {
namespace {

// Streets are longer than the crow flies: the usual ratio in a grid of one-way streets.
constexpr double kCircuity = 1.3;

// Metres per second over the whole trip, stops at lights included, by local hour. From published speeds of taxis in
// large American cities: slow from eight to seven, fastest before dawn.
constexpr std::array<double, 24> kSpeedMps = {9.0, 9.5, 10.0, 10.5, 11.0, 10.5, 9.0, 7.5, 6.5, 6.3, 6.2, 6.0,
                                              6.0, 6.0, 5.8,  5.6,  5.5,  5.5,  5.7, 6.3, 7.0, 7.5, 8.0, 8.5};

}  // namespace

Trip EstimateTrip(const LatLng& from, const LatLng& to, absl::Time departure) {
  const double utc_hours = std::fmod(absl::ToDoubleHours(departure - absl::UnixEpoch()), 24.0);
  const double solar_hours = std::fmod(utc_hours + from.longitude_deg / 15.0 + 48.0, 24.0);
  const double speed = kSpeedMps[static_cast<std::size_t>(solar_hours) % kSpeedMps.size()];
  Trip trip;
  trip.distance_m = DistanceM(from, to) * kCircuity;
  trip.duration = absl::Trunc(absl::Seconds(trip.distance_m / speed), absl::Seconds(1));
  return trip;
}

}  // namespace hail::rider
