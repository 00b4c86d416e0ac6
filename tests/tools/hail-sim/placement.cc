#include "tests/tools/hail-sim/placement.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace hail::sim {
namespace {

// Consecutive places on the spiral are a golden angle apart (Vogel 1979), which covers a circle evenly for any count.
const double kGoldenAngleDeg = 180.0 * (3.0 - std::sqrt(5.0));

constexpr double kShortestTripM = 500;
constexpr double kLongestTripM = 2'000;

}  // namespace

absl::StatusOr<LatLng> ParsePlace(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  LatLng place;
  if (parts.size() != 2 || !absl::SimpleAtod(parts[0], &place.latitude_deg) ||
      !absl::SimpleAtod(parts[1], &place.longitude_deg) || !CheckLatLng(place, "").ok()) {
    return absl::InvalidArgumentError("must be LAT,LNG in degrees, such as 37.7936,-122.3965");
  }
  return place;
}

std::vector<LatLng> SpreadOver(const LatLng& center, double radius_m, int count) {
  std::vector<LatLng> places;
  for (int i = 0; i < count; ++i) {
    places.push_back(Toward(center, std::fmod(i * kGoldenAngleDeg, 360.0), radius_m * std::sqrt((i + 0.5) / count)));
  }
  return places;
}

Trip DrawTripNear(const LatLng& center, double radius_m, Random& random) {
  Trip trip;
  // The root makes all parts of the circle equally likely.
  trip.pickup = Toward(center, random.Between(0, 360), radius_m * std::sqrt(random.Unit()));
  trip.dropoff = Toward(trip.pickup, random.Between(0, 360), random.Between(kShortestTripM, kLongestTripM));
  return trip;
}

}  // namespace hail::sim
