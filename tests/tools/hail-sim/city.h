// A city drawn from a seed: where people are, when they ask for rides, how far they go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::sim {

// One of "san_francisco" and "new_york".
struct City;
absl::StatusOr<const City*> FindCity(const std::string& name);

// `rides` trips requested from `start` on (domain time), sorted by time. The rate follows the city's hours. Each trip
// would be over within `length`: late in the span only short trips are drawn.
std::vector<Trip> DrawTrips(const City& city, std::uint64_t seed, absl::Time start, absl::Duration length, int rides);

// The first positions of `drivers` cars: spread around the places where the city's trips begin.
std::vector<Start> DrawStarts(const City& city, std::uint64_t seed, int drivers);

// The same over the pickups of given trips.
std::vector<Start> DrawStarts(const std::vector<Trip>& trips, std::uint64_t seed, int drivers);

}  // namespace hail::sim
