// A city's streets: the quickest ways from many places to one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::driver {

// From one node to another; a street for both directions is two.
struct RoadEdge {
  // Indexes of nodes.
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  // From 0 to 100 km.
  double length_m = 0;
  // At an hour of factor 1, up to a day. Counted in whole milliseconds, at least one.
  double time_s = 0;
};

struct RoadNetwork {
  std::vector<LatLng> nodes;
  std::vector<RoadEdge> edges;
  // What times are multiplied by at each local hour 0..23: from 0.01 to 100.
  std::array<double, 24> hour_factors;

  RoadNetwork() { hour_factors.fill(1); }
};

// Immutable, so thread-safe; each thread that asks keeps 16 bytes a node of the largest graph it asked.
//
// Only the largest part in which every node can be reached from every other is kept: a place is never snapped to a
// parking lot that no edge leaves. For a city: positions are laid out flat, which is off by 1 % where the graph reaches
// 60 km north or south of its middle at 45° (less nearer the equator), and must not cross the antimeridian.
class RoadGraph {
 public:
  struct Options {
    // How far a place may be from its node, metres, above 0.
    double snap_m = 200;
  };

  // The node nearest to a place.
  struct Snapped {
    std::uint32_t node = 0;
    // From the place, straight.
    double distance_m = 0;

    friend bool operator==(const Snapped&, const Snapped&) = default;
  };

  // From node to node. Of equally quick ones the shortest.
  struct Way {
    absl::Duration time = absl::ZeroDuration();
    double distance_m = 0;

    friend bool operator==(const Way&, const Way&) = default;
  };

  // INVALID_ARGUMENT, saying which node, edge or factor, for one out of range, and unless at least two nodes can be
  // reached from each other.
  static absl::StatusOr<RoadGraph> Build(const RoadNetwork& network, Options options);
  static absl::StatusOr<RoadGraph> Build(const RoadNetwork& network) { return Build(network, Options()); }

  // Nothing where no node is within Options::snap_m.
  std::optional<Snapped> Snap(const LatLng& place) const;

  // The quickest way from each node of `from` to `to` at the local hour (0..23); nothing for one that takes longer than
  // `longest` (at most a day). One search against the direction of the edges, from `to` until all of `from` are reached
  // or `longest` is: E. Dijkstra, "A note on two problems in connexion with graphs", Numerische Mathematik 1 (1959).
  std::vector<std::optional<Way>> WaysTo(std::span<const Snapped> from, const Snapped& to, int hour,
                                         absl::Duration longest) const;

  // What was kept of the network.
  std::size_t node_count() const { return places_.size(); }
  std::size_t edge_count() const { return arcs_.size(); }

 private:
  // Metres east and north of origin_.
  struct Place {
    double x = 0;
    double y = 0;
  };
  // An edge seen from its head.
  struct Arc {
    std::uint32_t tail = 0;
    std::uint32_t time_ms = 0;
    float length_m = 0;
  };

  RoadGraph() = default;
  Place Flat(const LatLng& point) const;
  // The square of the grid, with snap_m a side, that `place` is in.
  std::uint64_t SquareOf(const Place& place) const;

  Options options_;
  LatLng origin_;
  double metres_per_degree_east_ = 0;
  std::array<double, 24> hour_factors_;
  // Nodes are in order of their squares, west to east in rows from south to north, which keeps neighbours near in
  // memory too.
  std::vector<std::uint64_t> squares_;
  std::vector<Place> places_;
  // The arcs of node n are first_arc_[n] up to first_arc_[n + 1].
  std::vector<std::uint32_t> first_arc_;
  std::vector<Arc> arcs_;
};

}  // namespace hail::driver
