#include "common/geo/lat_lng.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "common/errors/error.h"

namespace hail {
namespace {

constexpr double kEarthRadiusM = 6'371'008.8;
constexpr double kZeroIslandDeg = 0.001;

double Radians(double degrees) { return degrees * std::numbers::pi / 180.0; }
double Degrees(double radians) { return radians * 180.0 / std::numbers::pi; }

}  // namespace

double DistanceM(const LatLng& a, const LatLng& b) {
  const double lat_a = Radians(a.latitude_deg);
  const double lat_b = Radians(b.latitude_deg);
  const double sin_lat = std::sin((lat_b - lat_a) / 2);
  const double sin_lng = std::sin(Radians(b.longitude_deg - a.longitude_deg) / 2);
  const double h = sin_lat * sin_lat + std::cos(lat_a) * std::cos(lat_b) * sin_lng * sin_lng;
  // Rounding can lift h above 1 for antipodes.
  return 2 * kEarthRadiusM * std::asin(std::sqrt(std::min(1.0, h)));
}

LatLng Toward(const LatLng& from, double bearing_deg, double distance_m) {
  const double angle = distance_m / kEarthRadiusM;
  const double bearing = Radians(bearing_deg);
  const double lat = Radians(from.latitude_deg);
  const double sin_to = std::sin(lat) * std::cos(angle) + std::cos(lat) * std::sin(angle) * std::cos(bearing);
  const double lat_to = std::asin(std::clamp(sin_to, -1.0, 1.0));
  const double turn = std::atan2(std::sin(bearing) * std::sin(angle) * std::cos(lat),
                                 std::cos(angle) - std::sin(lat) * std::sin(lat_to));
  // Wraps the longitude into [-180, 180] at the antimeridian.
  const double lng_to = std::remainder(from.longitude_deg + Degrees(turn), 360.0);
  return {Degrees(lat_to), lng_to};
}

absl::Status CheckLatLng(const LatLng& point, std::string_view field) {
  const std::string path(field);
  // Written so that NaN fails.
  if (!(std::abs(point.latitude_deg) <= 90.0)) {
    return InvalidField(path + ".latitude_deg", "must be from -90 to 90 degrees");
  }
  if (!(std::abs(point.longitude_deg) <= 180.0)) {
    return InvalidField(path + ".longitude_deg", "must be from -180 to 180 degrees");
  }
  if (std::abs(point.latitude_deg) < kZeroIslandDeg && std::abs(point.longitude_deg) < kZeroIslandDeg) {
    return InvalidField(path, "(0, 0) is what a receiver without a fix reports");
  }
  return absl::OkStatus();
}

}  // namespace hail
