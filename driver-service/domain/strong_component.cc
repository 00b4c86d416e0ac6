#include "driver-service/domain/strong_component.h"

#include <algorithm>
#include <cstddef>

namespace hail::driver {
namespace {

constexpr std::uint32_t kUnseen = 0xffffffff;

}  // namespace

std::vector<std::uint32_t> LargestStrongComponent(std::uint32_t nodes,
                                                  std::span<const std::pair<std::uint32_t, std::uint32_t>> edges) {
  std::vector<std::size_t> first(std::size_t{nodes} + 1, 0);
  for (const auto& [from, to] : edges) ++first[from + 1];
  for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
  std::vector<std::uint32_t> heads(edges.size());
  std::vector<std::size_t> next(first.begin(), first.end() - 1);
  for (const auto& [from, to] : edges) heads[next[from]++] = to;
  // From here on: the edge that the search follows next, for each node.
  next.assign(first.begin(), first.end() - 1);

  std::vector<std::uint32_t> order(nodes, kUnseen);
  std::vector<std::uint32_t> low(nodes, 0);
  std::vector<bool> open(nodes, false);
  // Visited nodes whose component is not known yet; the path from the root to the present node.
  std::vector<std::uint32_t> pending;
  std::vector<std::uint32_t> path;
  std::uint32_t seen = 0;
  std::vector<std::uint32_t> largest;
  const auto enter = [&](std::uint32_t node) {
    order[node] = low[node] = seen++;
    open[node] = true;
    pending.push_back(node);
    path.push_back(node);
  };
  for (std::uint32_t root = 0; root < nodes; ++root) {
    if (order[root] != kUnseen) continue;
    enter(root);
    while (!path.empty()) {
      const std::uint32_t node = path.back();
      if (next[node] < first[node + 1]) {
        const std::uint32_t head = heads[next[node]++];
        if (order[head] == kUnseen) {
          enter(head);
        } else if (open[head]) {
          low[node] = std::min(low[node], order[head]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[node]);
      if (low[node] != order[node]) continue;
      const auto begin = std::find(pending.rbegin(), pending.rend(), node).base() - 1;
      std::vector<std::uint32_t> component(begin, pending.end());
      pending.erase(begin, pending.end());
      for (const std::uint32_t member : component) open[member] = false;
      std::sort(component.begin(), component.end());
      if (component.size() > largest.size() ||
          (component.size() == largest.size() && component.front() < largest.front())) {
        largest = std::move(component);
      }
    }
  }
  return largest;
}

}  // namespace hail::driver
