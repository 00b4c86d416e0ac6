// The assignment problem on a sparse graph, solved exactly: as many rides as possible get a driver, at the least total
// cost.
#pragma once

#include <cstdint>
#include <vector>

namespace hail::driver {

// A possible driver of a ride. Drivers are numbered from 0.
struct AssignmentEdge {
  std::int32_t driver = 0;
  // 0 .. kMostCost.
  std::int64_t cost = 0;
};

struct AssignmentRide {
  // At most one per driver, in any order.
  std::vector<AssignmentEdge> edges;
  // The cost, 0 .. kMostCost, of leaving the ride out in favour of another ride. It only decides which rides are left
  // out, never their number, and never which driver the others get.
  std::int64_t left_out = 0;
};

struct Assignment {
  static constexpr std::int32_t kNoDriver = -1;
  // The driver of each ride.
  std::vector<std::int32_t> driver;
  // The price of each ride. Above all given costs if one more edge of the ride, at any cost, could make one more match.
  // Otherwise an additional edge that costs at least this much would change nothing.
  std::vector<std::int64_t> price;
};

// Keeps all sums within 64 bits for up to a quarter of a million rides.
inline constexpr std::int64_t kMostCost = std::int64_t{1} << 40;

// Of equal assignments, earlier rides and drivers with lower numbers are preferred. The same input gives the same
// output.
//
// Shortest augmenting paths with potentials (Kuhn and Munkres; by Dijkstra as in Jonker and Volgenant, "A shortest
// augmenting path algorithm for dense and sparse linear assignment problems", Computing 38, 1987): rides are added one
// by one, and each moves other rides along the cheapest path to a free driver. A ride without competition costs one
// step.
Assignment Assign(const std::vector<AssignmentRide>& rides, std::int32_t drivers);

}  // namespace hail::driver
