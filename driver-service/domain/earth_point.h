// Points of the earth in space, as integers: distances work the same everywhere, at the poles and across the
// antimeridian, and sums of squares are exact.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "common/geo/lat_lng.h"

namespace hail::driver {

// One unit is 2^-30 of the earth's radius: 5.9 mm. The earth's centre is (kEarthRadius, kEarthRadius, kEarthRadius), so
// that all coordinates are from 0 to 2 * kEarthRadius.
using EarthPoint = std::array<std::int32_t, 3>;
inline constexpr std::int32_t kEarthRadius = (1 << 30) - 1;

EarthPoint ToEarthPoint(const LatLng& point);

// At least the length of the chord of a great-circle distance, in units.
std::int64_t ChordUnder(double distance_m);

// The great-circle distance of a chord, in metres: within 2 cm of DistanceM up to 1,000 km for points in whole units;
// less exact towards opposite ends of the earth.
double DistanceOfChord(std::int64_t squared_chord);

// The square of the chord between two points. It grows with their great-circle distance.
inline std::int64_t SquaredChord(const EarthPoint& a, const EarthPoint& b) {
  std::int64_t sum = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t way = std::int64_t{a[axis]} - b[axis];
    sum += way * way;
  }
  return sum;
}

// A cube of space with an edge of 2^shift units.
struct EarthCube {
  // Multiples of the edge.
  EarthPoint low{};
  int shift = 0;

  // The cube of that size that contains a point.
  static EarthCube Around(const EarthPoint& point, int shift) {
    return {{point[0] >> shift << shift, point[1] >> shift << shift, point[2] >> shift << shift}, shift};
  }

  bool Contains(const EarthPoint& point) const {
    return (((point[0] ^ low[0]) | (point[1] ^ low[1]) | (point[2] ^ low[2])) >> shift) == 0;
  }

  // The octant of this cube that contains a point: one bit for each axis.
  unsigned OctantOf(const EarthPoint& point) const {
    const auto upper = [&](std::size_t axis) { return static_cast<unsigned>(point[axis] >> (shift - 1)) & 1; };
    return upper(0) | upper(1) << 1 | upper(2) << 2;
  }

  EarthCube Octant(unsigned octant) const {
    EarthCube cube{low, shift - 1};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      cube.low[axis] += static_cast<std::int32_t>(octant >> axis & 1) << cube.shift;
    }
    return cube;
  }

  // A lower bound of the squared chord from any point of this cube; 0 from inside.
  std::int64_t SquaredChordFrom(const EarthPoint& point) const {
    std::int64_t sum = 0;
    const std::int64_t edge = std::int64_t{1} << shift;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const std::int64_t below = std::int64_t{low[axis]} - point[axis];
      const std::int64_t way = std::max({std::int64_t{0}, below, -below - (edge - 1)});
      sum += way * way;
    }
    return sum;
  }
};

}  // namespace hail::driver
