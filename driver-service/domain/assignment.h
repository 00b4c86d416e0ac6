// The assignment problem on a sparse graph, solved exactly: which ride gets which driver, so that as many rides as
// possible get one, and of all such ways one at the least cost.
#pragma once

#include <cstdint>
#include <vector>

namespace hail::driver {

// A driver whom a ride could get. Drivers are numbered from 0.
struct AssignmentEdge {
  std::int32_t driver = 0;
  // 0 .. kMostCost.
  std::int64_t cost = 0;
};

struct AssignmentRide {
  // At most one a driver; their order does not matter.
  std::vector<AssignmentEdge> edges;
  // What it costs, 0 .. kMostCost, if another ride gets a driver in this one's stead. Only chooses which rides are left
  // out: never how many, and of those that get a driver never whom.
  std::int64_t left_out = 0;
};

struct Assignment {
  static constexpr std::int32_t kNoDriver = -1;
  // By ride.
  std::vector<std::int32_t> driver;
  // By ride. Above all costs given where one more edge of the ride, whatever it costs, could make for one match more.
  // Otherwise such an edge would change nothing, if it costs at least this.
  std::vector<std::int64_t> price;
};

// Keeps all sums in 64 bits for up to a quarter of a million rides.
inline constexpr std::int64_t kMostCost = std::int64_t{1} << 40;

// Equal costs: rides that come first and drivers with low numbers are preferred. The same input gives the same output.
//
// Shortest augmenting paths with potentials (Kuhn and Munkres; by Dijkstra as in Jonker and Volgenant, "A shortest
// augmenting path algorithm for dense and sparse linear assignment problems", Computing 38, 1987): rides come in one by
// one, and each moves others over along the cheapest way to a free driver. What no ride competes for costs one step.
Assignment Assign(const std::vector<AssignmentRide>& rides, std::int32_t drivers);

}  // namespace hail::driver
