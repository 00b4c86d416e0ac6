// Travel times by street, where there is a street map.
#pragma once

#include <span>
#include <vector>

#include "driver-service/domain/road_graph.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

// If both ends of a way are near an edge of one graph: the time by street at the local hour of the destination, between
// the quickest pair of edges near its ends (RoadGraph). Like StraightLineTravelTimes if an end is near no graph, or if
// the ends are nearer to each other than to their streets. The search stops at ten minutes plus four times the straight
// line's time; a longer way counts as that long.
//
// Thread-safe. Many places to one cost a single search (RoadGraph::WaysTo); if graphs overlap, the first one that
// contains the destination counts.
class RoadTravelTimes final : public TravelTimes {
 public:
  explicit RoadTravelTimes(std::vector<RoadGraph> graphs, StraightLineTravelTimes::Options straight_line = {})
      : graphs_(std::move(graphs)), straight_line_(straight_line) {}

  TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const override;
  std::vector<TravelEstimate> EstimateTo(std::span<const LatLng> from, const LatLng& to,
                                         absl::Time departure) const override;

 private:
  const std::vector<RoadGraph> graphs_;
  const StraightLineTravelTimes straight_line_;
};

}  // namespace hail::driver
