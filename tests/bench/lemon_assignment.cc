// Compiled as C++17: LEMON 1.3.1 uses members of std::allocator that C++20 removed.
#include "tests/bench/lemon_assignment.h"

#include <lemon/capacity_scaling.h>
#include <lemon/cost_scaling.h>
#include <lemon/network_simplex.h>
#include <lemon/smart_graph.h>

#include <algorithm>

namespace hail::driver {
namespace {

using Graph = lemon::SmartDigraph;

// Each ride sends one unit of flow through a driver, or bypasses all drivers at a cost above any total.
template <typename Algorithm>
MatchedAndCost Lemon(const std::vector<AssignmentRide>& rides, std::int32_t drivers) {
  Graph graph;
  std::size_t edges = 0;
  for (const AssignmentRide& ride : rides) edges += ride.edges.size();
  const auto d_count = static_cast<std::size_t>(drivers);
  graph.reserveNode(static_cast<int>(rides.size() + d_count + 1));
  graph.reserveArc(static_cast<int>(edges + d_count + rides.size()));
  std::vector<Graph::Node> ride_nodes, driver_nodes;
  for (std::size_t r = 0; r < rides.size(); ++r) ride_nodes.push_back(graph.addNode());
  for (std::int32_t d = 0; d < drivers; ++d) driver_nodes.push_back(graph.addNode());
  const Graph::Node sink = graph.addNode();
  std::int64_t most = 0;
  for (const AssignmentRide& ride : rides) {
    for (const AssignmentEdge& edge : ride.edges) most = std::max(most, edge.cost);
  }
  const std::int64_t leave = 1 + static_cast<std::int64_t>(rides.size()) * most;
  std::vector<std::pair<Graph::Arc, std::int64_t>> arcs;
  for (std::size_t r = 0; r < rides.size(); ++r) {
    for (const AssignmentEdge& edge : rides[r].edges) {
      arcs.emplace_back(graph.addArc(ride_nodes[r], driver_nodes[static_cast<std::size_t>(edge.driver)]), edge.cost);
    }
    arcs.emplace_back(graph.addArc(ride_nodes[r], sink), leave);
  }
  for (const Graph::Node& driver : driver_nodes) arcs.emplace_back(graph.addArc(driver, sink), 0);
  Graph::ArcMap<std::int64_t> cost(graph);
  Graph::ArcMap<int> capacity(graph, 1);
  Graph::NodeMap<int> supply(graph, 0);
  for (const auto& [arc, c] : arcs) cost[arc] = c;
  for (const Graph::Node& ride : ride_nodes) supply[ride] = 1;
  supply[sink] = -static_cast<int>(rides.size());

  Algorithm algorithm(graph);
  algorithm.upperMap(capacity).costMap(cost).supplyMap(supply);
  algorithm.run();
  std::int64_t matched = 0, total = 0;
  for (const auto& [arc, c] : arcs) {
    if (algorithm.flow(arc) == 0 || c == leave || graph.target(arc) == sink) continue;
    ++matched;
    total += c;
  }
  return {matched, total};
}

}  // namespace

MatchedAndCost LemonNetworkSimplex(const std::vector<AssignmentRide>& rides, std::int32_t drivers) {
  return Lemon<lemon::NetworkSimplex<Graph, int, std::int64_t>>(rides, drivers);
}

MatchedAndCost LemonCapacityScaling(const std::vector<AssignmentRide>& rides, std::int32_t drivers) {
  return Lemon<lemon::CapacityScaling<Graph, int, std::int64_t>>(rides, drivers);
}

MatchedAndCost LemonCostScaling(const std::vector<AssignmentRide>& rides, std::int32_t drivers) {
  return Lemon<lemon::CostScaling<Graph, int, std::int64_t>>(rides, drivers);
}

}  // namespace hail::driver
