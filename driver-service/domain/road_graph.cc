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
// Squares of the grid within a graph's snap_m.
constexpr int kSquaresInReach = 4;
constexpr std::uint32_t kGone = std::numeric_limits<std::uint32_t>::max();

// One search's state of a node. Ignored unless `search` is the number of the present search, so that nothing has to be
// cleared between searches.
struct Reached {
  std::uint32_t search = 0;
  std::uint32_t time_ms = 0;
  float length_m = 0;
  // 1 + the number of the first start at this node (Scratch::starts); 0: none; kGone: the node is settled.
  std::uint32_t starts = 0;
};

// A way that may begin at a node.
struct StartAt {
  // Index among the requested ways.
  std::size_t way = 0;
  std::uint32_t time_ms = 0;
  float length_m = 0;
  // The next one at the same node, numbered like Reached::starts.
  std::uint32_t next = 0;
};

// The quickest way found so far.
struct Best {
  std::uint32_t time_ms = kGone;
  float length_m = 0;
  // The minimum time that any way takes outside the nodes.
  std::uint32_t least_ms = kGone;

  bool found() const { return time_ms != kGone; }
  // Replaces the way if the new one is better; returns whether it is.
  bool Offer(std::uint32_t time, float length) {
    if (time > time_ms || (time == time_ms && length >= length_m)) return false;
    time_ms = time;
    length_m = length;
    return true;
  }
};

// Owned by a thread, for graphs of any size.
struct Scratch {
  std::uint32_t search = 0;
  std::vector<Reached> nodes;
  // Time and node in one word, so that one comparison orders both: the earliest node first.
  std::vector<std::uint64_t> queue;
  std::vector<StartAt> starts;

  void Begin(std::size_t node_count) {
    if (nodes.size() < node_count) nodes.resize(node_count);
    queue.clear();
    starts.clear();
    if (++search == 0) {
      // Once in four billion searches.
      std::fill(nodes.begin(), nodes.end(), Reached());
      search = 1;
    }
  }

  Reached& Of(std::uint32_t node) {
    Reached& reached = nodes[node];
    if (reached.search != search) reached = {search, kGone, 0, 0};
    return reached;
  }
};

absl::Status Check(const RoadNetwork& network, const RoadGraph::Options& options) {
  const auto wrong = [](const auto&... parts) { return absl::InvalidArgumentError(absl::StrCat(parts...)); };
  // All written so that NaN fails.
  if (!(options.snap_m > 0)) return wrong("snap_m must be above 0");
  if (!(options.slack_m >= 0)) return wrong("slack_m must not be below 0");
  if (!(options.approach_mps >= 0.01)) return wrong("approach_mps must be at least 0.01");
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

std::uint64_t RoadGraph::LineOf(double metres) const {
  // Up to 40,000 km by 0.25 m: within 32 bits per axis. Snap reads some squares on each side, for which the offset
  // leaves room.
  return static_cast<std::uint64_t>(std::clamp(std::floor(metres / side_m_) + 0x4000'0000, 16.0, 2147483632.0));
}

std::uint64_t RoadGraph::SquareOf(const Place& place) const { return LineOf(place.y) << 32 | LineOf(place.x); }

absl::StatusOr<RoadGraph> RoadGraph::Build(const RoadNetwork& network, Options options) {
  if (absl::Status status = Check(network, options); !status.ok()) return status;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ends;
  ends.reserve(network.edges.size());
  for (const RoadEdge& edge : network.edges) ends.emplace_back(edge.from, edge.to);
  std::vector<std::uint32_t> kept = LargestStrongComponent(static_cast<std::uint32_t>(network.nodes.size()), ends);
  if (kept.size() < 2) return absl::InvalidArgumentError("no two nodes can be reached from each other");

  RoadGraph graph;
  graph.options_ = options;
  graph.side_m_ = options.snap_m / kSquaresInReach;
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
  graph.heads_.resize(graph.arcs_.size());
  std::vector<std::uint32_t> next(graph.first_arc_.begin(), graph.first_arc_.end() - 1);
  for (const RoadEdge& edge : network.edges) {
    if (!is_kept(edge)) continue;
    // So that no way passes a node twice, and none is as quick as a part of itself.
    const double time_ms = std::max(1.0, std::round(edge.time_s * 1000));
    const std::uint32_t arc = next[new_number[edge.to]]++;
    graph.arcs_[arc] = {new_number[edge.from], static_cast<std::uint32_t>(time_ms), static_cast<float>(edge.length_m)};
    graph.heads_[arc] = new_number[edge.to];
  }
  graph.PlaceArcs();
  return graph;
}

void RoadGraph::PlaceArcs() {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> placed;
  for (std::uint32_t arc = 0; arc < arcs_.size(); ++arc) {
    Place low = places_[arcs_[arc].tail];
    Place high = places_[heads_[arc]];
    if (low.y > high.y) std::swap(low, high);
    const double slope = high.y > low.y ? (high.x - low.x) / (high.y - low.y) : 0;
    const std::uint64_t last = LineOf(high.y);
    for (std::uint64_t row = LineOf(low.y); row <= last; ++row) {
      // Where the arc enters the row and where it leaves it.
      const double south = (static_cast<double>(row) - 0x4000'0000) * side_m_;
      const double enters_y = std::max(low.y, south);
      const double leaves_y = std::min(high.y, south + side_m_);
      const double enters_x = enters_y > low.y ? low.x + slope * (enters_y - low.y) : low.x;
      const double leaves_x = leaves_y < high.y ? low.x + slope * (leaves_y - low.y) : high.x;
      const std::uint64_t east = LineOf(std::max(enters_x, leaves_x));
      for (std::uint64_t column = LineOf(std::min(enters_x, leaves_x)); column <= east; ++column) {
        placed.emplace_back(row << 32 | column, arc);
      }
    }
  }
  std::sort(placed.begin(), placed.end());
  squares_.reserve(placed.size());
  square_arcs_.reserve(placed.size());
  for (const auto& [square, arc] : placed) {
    squares_.push_back(square);
    square_arcs_.push_back(arc);
  }
}

RoadGraph::OnEdge RoadGraph::Nearest(std::uint32_t arc, const Place& place) const {
  // The square of 1 cm: a place this near to a node counts as on it.
  constexpr double kAsGoodAsOnM2 = 0.01 * 0.01;
  const Place& tail = places_[arcs_[arc].tail];
  const Place& head = places_[heads_[arc]];
  const double x = head.x - tail.x;
  const double y = head.y - tail.y;
  const double squared = x * x + y * y;
  OnEdge on{arc, 0, 0};
  if (squared > 0) {
    on.part = std::clamp(((place.x - tail.x) * x + (place.y - tail.y) * y) / squared, 0.0, 1.0);
    if (on.part * on.part * squared < kAsGoodAsOnM2) on.part = 0;
    if ((1 - on.part) * (1 - on.part) * squared < kAsGoodAsOnM2) on.part = 1;
  }
  const double off_x = tail.x + on.part * x - place.x;
  const double off_y = tail.y + on.part * y - place.y;
  const double off = off_x * off_x + off_y * off_y;
  if (off >= kAsGoodAsOnM2) on.distance_m = std::sqrt(off);
  return on;
}

std::optional<RoadGraph::Snapped> RoadGraph::Snap(const LatLng& point) const {
  if (!(std::abs(point.latitude_deg) <= 90 && std::abs(point.longitude_deg) <= 180)) return std::nullopt;
  const Place place = Flat(point);
  const std::uint64_t square = SquareOf(place);
  Snapped snapped;
  snapped.distance_m = std::numeric_limits<double>::infinity();
  const auto reach_m = [&] { return std::min(options_.snap_m, snapped.distance_m + options_.slack_m); };
  const auto look = [&](std::uint64_t squares) {
    for (std::uint64_t row = square - (squares << 32); row <= square + (squares << 32); row += std::uint64_t{1} << 32) {
      // The squares of a row are consecutive.
      auto it = std::lower_bound(squares_.begin(), squares_.end(), row - squares);
      for (; it != squares_.end() && *it <= row + squares; ++it) {
        const OnEdge on = Nearest(square_arcs_[static_cast<std::size_t>(it - squares_.begin())], place);
        if (on.distance_m > reach_m()) continue;
        // An edge is in several squares.
        const auto same = [&](const OnEdge& other) { return other.arc == on.arc; };
        if (std::any_of(snapped.edges.begin(), snapped.edges.end(), same)) continue;
        snapped.distance_m = std::min(snapped.distance_m, on.distance_m);
        snapped.edges.push_back(on);
      }
    }
  };
  // The nearest squares usually contain the nearest edge, which limits the further search.
  look(1);
  const double squares = std::ceil(reach_m() / side_m_);
  if (squares > 1) look(static_cast<std::uint64_t>(squares));
  const double reach = reach_m();
  snapped.edges.erase(std::remove_if(snapped.edges.begin(), snapped.edges.end(),
                                     [reach](const OnEdge& on) { return on.distance_m > reach; }),
                      snapped.edges.end());
  if (snapped.edges.empty()) return std::nullopt;
  return snapped;
}

std::uint32_t RoadGraph::ApproachMs(double distance_m, double factor) const {
  return static_cast<std::uint32_t>(std::lround(distance_m / options_.approach_mps * 1000 / factor));
}

RoadGraph::End RoadGraph::StartOf(const OnEdge& on, double factor) const {
  const Arc& arc = arcs_[on.arc];
  const std::uint32_t approach_ms = ApproachMs(on.distance_m, factor);
  const auto approach_m = static_cast<float>(on.distance_m);
  // At its beginning, any edge that leaves the node will do.
  if (on.part == 0) return {arc.tail, approach_ms, approach_m};
  const double left = 1 - on.part;
  return {heads_[on.arc], approach_ms + static_cast<std::uint32_t>(std::lround(left * arc.time_ms)),
          approach_m + static_cast<float>(left * arc.length_m)};
}

RoadGraph::End RoadGraph::EndOf(const OnEdge& on, double factor) const {
  const Arc& arc = arcs_[on.arc];
  const std::uint32_t approach_ms = ApproachMs(on.distance_m, factor);
  const auto approach_m = static_cast<float>(on.distance_m);
  if (on.part == 1) return {heads_[on.arc], approach_ms, approach_m};
  return {arc.tail, approach_ms + static_cast<std::uint32_t>(std::lround(on.part * arc.time_ms)),
          approach_m + static_cast<float>(on.part * arc.length_m)};
}

std::vector<std::optional<RoadGraph::Way>> RoadGraph::WaysTo(std::span<const Snapped> from, const Snapped& to, int hour,
                                                             absl::Duration longest) const {
  thread_local Scratch scratch;
  scratch.Begin(places_.size());
  const double factor = hour_factors_[static_cast<std::size_t>(hour)];
  const double limit_ms = absl::ToDoubleMilliseconds(longest) / factor;
  const auto longest_ms = static_cast<std::uint32_t>(std::clamp(limit_ms, 0.0, kDayS * 1000 / 0.01 / 4));

  std::vector<Best> best(from.size());
  for (std::size_t way = 0; way < from.size(); ++way) {
    for (const OnEdge& start : from[way].edges) {
      const End at = StartOf(start, factor);
      Reached& node = scratch.Of(at.node);
      scratch.starts.push_back({way, at.time_ms, at.length_m, node.starts});
      node.starts = static_cast<std::uint32_t>(scratch.starts.size());
      best[way].least_ms = std::min(best[way].least_ms, at.time_ms);
      // Along one edge.
      for (const OnEdge& end : to.edges) {
        if (end.arc != start.arc || start.part > end.part) continue;
        const Arc& arc = arcs_[end.arc];
        const double part = end.part - start.part;
        best[way].Offer(ApproachMs(start.distance_m, factor) + ApproachMs(end.distance_m, factor) +
                            static_cast<std::uint32_t>(std::lround(part * arc.time_ms)),
                        static_cast<float>(start.distance_m + end.distance_m + part * arc.length_m));
      }
    }
  }

  // Beyond `last_ms` no node can make a way quicker, or equally quick and shorter.
  std::uint32_t last_ms = longest_ms;
  const auto shorten = [&] {
    std::uint32_t latest_ms = 0;
    for (const Best& way : best) {
      if (!way.found()) return;
      latest_ms = std::max(latest_ms, way.time_ms - std::min(way.time_ms, way.least_ms));
    }
    last_ms = std::min(longest_ms, latest_ms);
  };
  std::size_t missing =
      static_cast<std::size_t>(std::count_if(best.begin(), best.end(), [](const Best& way) { return !way.found(); }));
  if (missing == 0) shorten();

  std::vector<std::uint64_t>& queue = scratch.queue;
  const auto reach = [&](std::uint32_t node, std::uint32_t time_ms, float length_m) {
    if (time_ms > last_ms) return;
    Reached& there = scratch.Of(node);
    if (time_ms > there.time_ms || (time_ms == there.time_ms && length_m >= there.length_m)) return;
    if (time_ms < there.time_ms) {
      queue.push_back(std::uint64_t{time_ms} << 32 | node);
      std::push_heap(queue.begin(), queue.end(), std::greater<>());
    }
    there.time_ms = time_ms;
    there.length_m = length_m;
  };
  for (const OnEdge& end : to.edges) {
    const End at = EndOf(end, factor);
    reach(at.node, at.time_ms, at.length_m);
  }
  while (!queue.empty() && !from.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const auto node = static_cast<std::uint32_t>(queue.back());
    const auto time_ms = static_cast<std::uint32_t>(queue.back() >> 32);
    queue.pop_back();
    if (time_ms > last_ms) break;
    Reached& here = scratch.nodes[node];
    // The node was in the queue more than once.
    if (here.starts == kGone) continue;
    for (std::uint32_t start = std::exchange(here.starts, kGone); start != 0; start = scratch.starts[start - 1].next) {
      const StartAt& at = scratch.starts[start - 1];
      const bool first = !best[at.way].found();
      if (!best[at.way].Offer(time_ms + at.time_ms, here.length_m + at.length_m)) continue;
      if (first) --missing;
      if (missing == 0) shorten();
    }
    for (std::uint32_t i = first_arc_[node]; i < first_arc_[node + 1]; ++i) {
      reach(arcs_[i].tail, time_ms + arcs_[i].time_ms, here.length_m + arcs_[i].length_m);
    }
  }

  std::vector<std::optional<Way>> ways;
  ways.reserve(from.size());
  for (const Best& way : best) {
    if (way.time_ms <= longest_ms) {
      ways.emplace_back(Way{absl::Milliseconds(way.time_ms) * factor, way.length_m});
    } else {
      ways.emplace_back();
    }
  }
  return ways;
}

}  // namespace hail::driver
