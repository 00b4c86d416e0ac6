#include "driver-service/domain/earth_point.h"

#include <numbers>

namespace hail::driver {
namespace {

// The same as in DistanceM.
constexpr double kEarthRadiusM = 6371008.8;

}  // namespace

EarthPoint ToEarthPoint(const LatLng& point) {
  const double lat = point.latitude_deg * std::numbers::pi / 180;
  const double lng = point.longitude_deg * std::numbers::pi / 180;
  const double from_axis = std::cos(lat);
  const auto units = [](double part) {
    return static_cast<std::int32_t>(std::lrint(part * kEarthRadius)) + kEarthRadius;
  };
  return {units(from_axis * std::cos(lng)), units(from_axis * std::sin(lng)), units(std::sin(lat))};
}

std::int64_t ChordUnder(double distance_m) {
  const double angle = std::min(distance_m / kEarthRadiusM, std::numbers::pi);
  return static_cast<std::int64_t>(std::ceil(2 * std::sin(angle / 2) * kEarthRadius));
}

double DistanceOfChord(std::int64_t squared_chord) {
  const double half = std::sqrt(static_cast<double>(squared_chord)) / (2.0 * kEarthRadius);
  // Rounding can make it longer than the earth's diameter.
  return 2 * kEarthRadiusM * std::asin(std::min(1.0, half));
}

}  // namespace hail::driver
