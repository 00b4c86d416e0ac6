// Finds the connected part of a directed graph.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace hail::driver {

// The largest set of nodes that can all be reached from each other, ascending; of equals, the one with the lowest node.
// Nodes are 0..nodes - 1, edges (from, to). R. Tarjan, "Depth-first search and linear graph algorithms", SIAM Journal
// on Computing 1 (1972). Time and memory O(nodes + edges), no recursion.
std::vector<std::uint32_t> LargestStrongComponent(std::uint32_t nodes,
                                                  std::span<const std::pair<std::uint32_t, std::uint32_t>> edges);

}  // namespace hail::driver
