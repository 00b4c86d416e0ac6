// Points on the earth, in plain types.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace hail {

// WGS84 degrees.
struct LatLng {
  double latitude_deg = 0;
  double longitude_deg = 0;

  friend bool operator==(const LatLng&, const LatLng&) = default;
};

// Great-circle distance in metres on a sphere of radius 6,371,008.8 m (the IUGG mean radius), by the haversine formula.
double DistanceM(const LatLng& a, const LatLng& b);

// The point `distance_m` from `from` along `bearing_deg` (clockwise from north), on the same sphere.
LatLng Toward(const LatLng& from, double bearing_deg, double distance_m);

// INVALID_FIELD naming `field` (or a part of it: `field` + ".latitude_deg") unless `point` is finite, in range and not
// within 0.001 degrees of (0, 0), which broken receivers report.
absl::Status CheckLatLng(const LatLng& point, std::string_view field);

}  // namespace hail
