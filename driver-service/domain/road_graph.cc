#include "driver-service/domain/road_graph.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "driver-service/domain/strong_component.h"

namespace hail::driver {
namespace {

constexpr double kMetresPerDegree = 6'371'008.8 * std::numbers::pi / 180;
constexpr double kLongestEdgeM = 100'000;
constexpr double kDayS = 86'400;
constexpr std::uint32_t kGone = std::numeric_limits<std::uint32_t>::max();

// What one search knows of a node. Of an earlier search, so nothing, unless `search` is the present one's number:
// nothing has to be cleared between searches.
struct Reached {
  std::uint32_t search = 0;
  std::uint32_t time_ms = 0;
  float length_m = 0;
  // 1 + how often the node is asked for and not reached for good yet; 0: was reached for good.
  std::uint32_t wanted = 0;
};

// A thread's own, for graphs of any size.
struct Scratch {
  std::uint32_t search = 0;
  std::vector<Reached> nodes;
  // Time and node in one word, so that a comparison is one: what is reached first is first.
  std::vector<std::uint64_t> queue;

  void Begin(std::size_t node_count) {
    if (nodes.size() < node_count) nodes.resize(node_count);
    queue.clear();
    if (++search == 0) {
      // Once in four milliards.
      std::fill(nodes.begin(), nodes.end(), Reached());
      search = 1;
    }
  }

  Reached& Of(std::uint32_t node) {
    Reached& reached = nodes[node];
    if (reached.search != search) reached = {search, kGone, 0, 1};
    return reached;
  }
};

absl::Status Check(const RoadNetwork& network, const RoadGraph::Options& options) {
  const auto wrong = [](const auto&... parts) { return absl::InvalidArgumentError(absl::StrCat(parts...)); };
  // All written so that NaN fails.
  if (!(options.snap_m > 0)) return wrong("snap_m must be above 0");
  if (network.nodes.size() >= kGone || network.edges.size() >= kGone) return wrong("too many nodes or edges");
  for (std::size_t i = 0; i < network.nodes.size(); ++i) {
    const LatLng& node = network.nodes[i];
    if (!(std::abs(node.latitude_deg) <= 85 && std::abs(node.longitude_deg) <= 180)) {
      return wrong("node ", i, ": latitude must be from -85 to 85, longitude from -180 to 180");
    }
  }
  for (std::size_t i = 0; i < network.edges.size(); ++i) {
    const RoadEdge& edge = network.edges[i];
    if (edge.from >= network.nodes.size() || edge.to >= network.nodes.size())
      return wrong("edge ", i, ": no such node");
    if (!(edge.length_m >= 0 && edge.length_m <= kLongestEdgeM)) {
      return wrong("edge ", i, ": length must be from 0 to ", kLongestEdgeM, " m");
    }
    if (!(edge.time_s >= 0 && edge.time_s <= kDayS)) return wrong("edge ", i, ": time must be from 0 to ", kDayS, " s");
  }
  for (std::size_t hour = 0; hour < network.hour_factors.size(); ++hour) {
    if (!(network.hour_factors[hour] >= 0.01 && network.hour_factors[hour] <= 100)) {
      return wrong("factor of hour ", hour, ": must be from 0.01 to 100");
    }
  }
  return absl::OkStatus();
}

}  // namespace

RoadGraph::Place RoadGraph::Flat(const LatLng& point) const {
  return {(point.longitude_deg - origin_.longitude_deg) * metres_per_degree_east_,
          (point.latitude_deg - origin_.latitude_deg) * kMetresPerDegree};
}

std::uint64_t RoadGraph::SquareOf(const Place& place) const {
  // Up to 40,000 km by 1 m: within 32 bits a side. Snap looks one to each side, which the offset leaves room for.
  const auto line = [this](double metres) {
    return static_cast<std::uint64_t>(
        std::clamp(std::floor(metres / options_.snap_m) + 0x4000'0000, 1.0, 2147483646.0));
  };
  return line(place.y) << 32 | line(place.x);
}

absl::StatusOr<RoadGraph> RoadGraph::Build(const RoadNetwork& network, Options options) {
  if (absl::Status status = Check(network, options); !status.ok()) return status;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ends;
  ends.reserve(network.edges.size());
  for (const RoadEdge& edge : network.edges) ends.emplace_back(edge.from, edge.to);
  std::vector<std::uint32_t> kept = LargestStrongComponent(static_cast<std::uint32_t>(network.nodes.size()), ends);
  if (kept.size() < 2) return absl::InvalidArgumentError("no two nodes can be reached from each other");

  RoadGraph graph;
  graph.options_ = options;
  graph.hour_factors_ = network.hour_factors;
  double south = 90;
  double north = -90;
  for (const std::uint32_t node : kept) {
    south = std::min(south, network.nodes[node].latitude_deg);
    north = std::max(north, network.nodes[node].latitude_deg);
  }
  graph.origin_ = {(south + north) / 2, network.nodes[kept.front()].longitude_deg};
  graph.metres_per_degree_east_ = kMetresPerDegree * std::cos(graph.origin_.latitude_deg * std::numbers::pi / 180);

  std::vector<std::pair<std::uint64_t, std::uint32_t>> order;
  order.reserve(kept.size());
  for (const std::uint32_t node : kept) order.emplace_back(graph.SquareOf(graph.Flat(network.nodes[node])), node);
  std::sort(order.begin(), order.end());
  std::vector<std::uint32_t> new_number(network.nodes.size(), kGone);
  for (const auto& [square, node] : order) {
    new_number[node] = static_cast<std::uint32_t>(graph.places_.size());
    graph.squares_.push_back(square);
    graph.places_.push_back(graph.Flat(network.nodes[node]));
  }

  graph.first_arc_.assign(kept.size() + 1, 0);
  const auto is_kept = [&](const RoadEdge& edge) {
    return new_number[edge.from] != kGone && new_number[edge.to] != kGone && edge.from != edge.to;
  };
  for (const RoadEdge& edge : network.edges) {
    if (is_kept(edge)) ++graph.first_arc_[new_number[edge.to] + 1];
  }
  std::partial_sum(graph.first_arc_.begin(), graph.first_arc_.end(), graph.first_arc_.begin());
  graph.arcs_.resize(graph.first_arc_.back());
  std::vector<std::uint32_t> next(graph.first_arc_.begin(), graph.first_arc_.end() - 1);
  for (const RoadEdge& edge : network.edges) {
    if (!is_kept(edge)) continue;
    // No way can then pass a node twice, nor be as quick as a part of it.
    const double time_ms = std::max(1.0, std::round(edge.time_s * 1000));
    graph.arcs_[next[new_number[edge.to]]++] = {new_number[edge.from], static_cast<std::uint32_t>(time_ms),
                                                static_cast<float>(edge.length_m)};
  }
  return graph;
}

std::optional<RoadGraph::Snapped> RoadGraph::Snap(const LatLng& point) const {
  if (!(std::abs(point.latitude_deg) <= 90 && std::abs(point.longitude_deg) <= 180)) return std::nullopt;
  const Place place = Flat(point);
  const std::uint64_t square = SquareOf(place);
  double best = options_.snap_m * options_.snap_m;
  std::optional<std::uint32_t> nearest;
  for (const std::uint64_t row : {square - (std::uint64_t{1} << 32), square, square + (std::uint64_t{1} << 32)}) {
    // Three squares of a row follow each other.
    auto it = std::lower_bound(squares_.begin(), squares_.end(), row - 1);
    for (; it != squares_.end() && *it <= row + 1; ++it) {
      const auto node = static_cast<std::size_t>(it - squares_.begin());
      const double x = places_[node].x - place.x;
      const double y = places_[node].y - place.y;
      const double squared = x * x + y * y;
      if (squared > best || (squared == best && nearest)) continue;
      best = squared;
      nearest = static_cast<std::uint32_t>(node);
    }
  }
  if (!nearest) return std::nullopt;
  return Snapped{*nearest, std::sqrt(best)};
}

std::vector<std::optional<RoadGraph::Way>> RoadGraph::WaysTo(std::span<const Snapped> from, const Snapped& to, int hour,
                                                             absl::Duration longest) const {
  thread_local Scratch scratch;
  scratch.Begin(places_.size());
  const double factor = hour_factors_[static_cast<std::size_t>(hour)];
  const double limit_ms = absl::ToDoubleMilliseconds(longest) / factor;
  const auto longest_ms = static_cast<std::uint32_t>(std::clamp(limit_ms, 0.0, kDayS * 1000 / 0.01 / 4));

  for (const Snapped& start : from) ++scratch.Of(start.node).wanted;
  std::size_t to_come = from.size();
  std::vector<std::uint64_t>& queue = scratch.queue;
  const auto push = [&](std::uint32_t time_ms, std::uint32_t node) {
    queue.push_back(std::uint64_t{time_ms} << 32 | node);
    std::push_heap(queue.begin(), queue.end(), std::greater<>());
  };
  scratch.Of(to.node).time_ms = 0;
  push(0, to.node);
  while (!queue.empty() && to_come > 0) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const auto node = static_cast<std::uint32_t>(queue.back());
    queue.pop_back();
    Reached& here = scratch.nodes[node];
    // It was in the queue more than once.
    if (here.wanted == 0) continue;
    to_come -= here.wanted - 1;
    here.wanted = 0;
    for (std::uint32_t i = first_arc_[node]; i < first_arc_[node + 1]; ++i) {
      const Arc& arc = arcs_[i];
      const std::uint32_t time_ms = here.time_ms + arc.time_ms;
      if (time_ms > longest_ms) continue;
      Reached& there = scratch.Of(arc.tail);
      const float length_m = here.length_m + arc.length_m;
      if (time_ms > there.time_ms || (time_ms == there.time_ms && length_m >= there.length_m)) continue;
      if (time_ms < there.time_ms) push(time_ms, arc.tail);
      there.time_ms = time_ms;
      there.length_m = length_m;
    }
  }

  std::vector<std::optional<Way>> ways;
  ways.reserve(from.size());
  for (const Snapped& start : from) {
    const Reached& reached = scratch.nodes[start.node];
    if (reached.wanted == 0) {
      ways.emplace_back(Way{absl::Milliseconds(reached.time_ms) * factor, reached.length_m});
    } else {
      ways.emplace_back();
    }
  }
  return ways;
}

}  // namespace hail::driver
