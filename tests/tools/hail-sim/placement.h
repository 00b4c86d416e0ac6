// Where the sandbox's people are: around one place.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/geo/lat_lng.h"
#include "tests/tools/hail-sim/random.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::sim {

// "LAT,LNG" in degrees. INVALID_ARGUMENT for another form or impossible values.
absl::StatusOr<LatLng> ParsePlace(const std::string& text);

// `count` places evenly over the circle of `radius_m` around `center`, nearest first: wherever in it a ride begins, a
// driver is near.
std::vector<LatLng> SpreadOver(const LatLng& center, double radius_m, int count);

// A ride that begins within `radius_m` of `center` and is some minutes long.
Trip DrawTripNear(const LatLng& center, double radius_m, Random& random);

}  // namespace hail::sim
