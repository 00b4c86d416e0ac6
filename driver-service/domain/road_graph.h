// A city's streets: the quickest ways from many places to one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::driver {

// A directed edge between two nodes; a two-way street has two.
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
  // Factors on all times, by local hour 0..23: from 0.01 to 100.
  std::array<double, 24> hour_factors;

  RoadNetwork() { hour_factors.fill(1); }
};

// Immutable, so thread-safe; each searching thread keeps 16 bytes per node of the largest graph that it searched.
//
// A place is matched to all edges that pass about as near to it as the nearest, not to one node: the nearest edge may
// be a one-way ramp that is not reachable from there. Each way is then the quickest from any edge of its start to any
// edge of its end, in the direction of the edges. A partial edge counts by its part of the edge's straight line.
// Between place and edge the way is straight, at the approach speed.
//
// Only the largest strongly connected component is kept: a place is never matched to a parking lot that no edge leaves.
// The graph is meant for a city: positions are projected to a plane. The projection is off by 1 % where the graph
// reaches 60 km north or south of its middle at 45° (less nearer the equator), and the graph must not cross the
// antimeridian.
class RoadGraph {
 public:
  struct Options {
    // The maximum distance of a place from its nearest edge, metres, above 0.
    double snap_m = 200;
    // Edges count up to this much further away than the nearest one: a receiver's error, and the width of a street.
    double slack_m = 50;
    // Speed between a place and its edge, where a car turns in and stops.
    double approach_mps = 3;
  };

  // A place's nearest point of an edge.
  struct OnEdge {
    std::uint32_t arc = 0;
    // 0: the beginning of the edge, 1: its end.
    double part = 0;
    // Straight distance from the place.
    double distance_m = 0;
  };

  // A place's match on the graph.
  struct Snapped {
    // Not empty, none further away than snap_m, in no order.
    absl::InlinedVector<OnEdge, 12> edges;
    // Distance to the nearest edge.
    double distance_m = 0;
  };

  // A way from place to place, including the approaches to the first and from the last edge. Of equally quick ones, the
  // shortest.
  struct Way {
    absl::Duration time = absl::ZeroDuration();
    double distance_m = 0;

    friend bool operator==(const Way&, const Way&) = default;
  };

  // INVALID_ARGUMENT, naming the node, edge or factor that is out of range; also unless at least two nodes can be
  // reached from each other.
  static absl::StatusOr<RoadGraph> Build(const RoadNetwork& network, Options options);
  static absl::StatusOr<RoadGraph> Build(const RoadNetwork& network) { return Build(network, Options()); }

  // nullopt if no edge is within Options::snap_m.
  std::optional<Snapped> Snap(const LatLng& place) const;

  // The quickest way from each of `from` to `to` at the local hour (0..23); nullopt if it takes longer than `longest`
  // (at most a day). One search against the direction of the edges, from `to` until all of `from` or `longest` is
  // reached: E. Dijkstra, "A note on two problems in connexion with graphs", Numerische Mathematik 1 (1959).
  std::vector<std::optional<Way>> WaysTo(std::span<const Snapped> from, const Snapped& to, int hour,
                                         absl::Duration longest) const;

  // The size of the kept part of the network.
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
  // A node, and the additional time and length to or from it.
  struct End {
    std::uint32_t node = 0;
    std::uint32_t time_ms = 0;
    float length_m = 0;
  };

  RoadGraph() = default;
  Place Flat(const LatLng& point) const;
  // The index of the grid line, at a spacing of side_m_, at or below `metres`.
  std::uint64_t LineOf(double metres) const;
  std::uint64_t SquareOf(const Place& place) const;
  // Puts the arcs into the squares that they pass through.
  void PlaceArcs();
  OnEdge Nearest(std::uint32_t arc, const Place& place) const;
  // The time of the straight approach to an edge, if times are multiplied by `factor` later.
  std::uint32_t ApproachMs(double distance_m, double factor) const;
  // Where a way that begins, or ends, at `on` enters, or leaves, the nodes.
  End StartOf(const OnEdge& on, double factor) const;
  End EndOf(const OnEdge& on, double factor) const;

  Options options_;
  double side_m_ = 0;
  LatLng origin_;
  double metres_per_degree_east_ = 0;
  std::array<double, 24> hour_factors_;
  // Nodes are ordered by their squares, west to east in rows from south to north, which keeps neighbours close in
  // memory.
  std::vector<Place> places_;
  // The arcs of node n, its head, are first_arc_[n] up to first_arc_[n + 1].
  std::vector<std::uint32_t> first_arc_;
  std::vector<Arc> arcs_;
  std::vector<std::uint32_t> heads_;
  // Arcs by the squares that they pass through, ordered by square.
  std::vector<std::uint64_t> squares_;
  std::vector<std::uint32_t> square_arcs_;
};

}  // namespace hail::driver
