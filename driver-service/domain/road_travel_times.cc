#include "driver-service/domain/road_travel_times.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace hail::driver {
namespace {

// The limit of a search for a way: kDetour + kDetourFactor × the straight line's time.
constexpr absl::Duration kDetour = absl::Minutes(10);
constexpr double kDetourFactor = 4;

}  // namespace

TravelEstimate RoadTravelTimes::Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const {
  return EstimateTo({&from, 1}, to, departure).front();
}

std::vector<TravelEstimate> RoadTravelTimes::EstimateTo(std::span<const LatLng> from, const LatLng& to,
                                                        absl::Time departure) const {
  std::vector<TravelEstimate> estimates = straight_line_.EstimateTo(from, to, departure);
  std::optional<RoadGraph::Snapped> end;
  const auto graph = std::find_if(graphs_.begin(), graphs_.end(), [&](const RoadGraph& candidate) {
    end = candidate.Snap(to);
    return end.has_value();
  });
  if (graph == graphs_.end()) return estimates;

  // The ways that go by street, and their starts.
  std::vector<std::size_t> by_street;
  std::vector<RoadGraph::Snapped> starts;
  absl::Duration longest = absl::ZeroDuration();
  const auto limit = [&](std::size_t i) { return kDetour + kDetourFactor * estimates[i].time; };
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::optional<RoadGraph::Snapped> start = graph->Snap(from[i]);
    if (!start) continue;
    if (DistanceM(from[i], to) <= start->distance_m + end->distance_m) continue;
    by_street.push_back(i);
    starts.push_back(*start);
    longest = std::max(longest, limit(i));
  }
  if (starts.empty()) return estimates;

  const std::vector<std::optional<RoadGraph::Way>> ways =
      graph->WaysTo(starts, *end, LocalHour(to, departure), longest);
  for (std::size_t k = 0; k < ways.size(); ++k) {
    TravelEstimate& estimate = estimates[by_street[k]];
    const absl::Duration at_most = limit(by_street[k]);
    if (!ways[k] || ways[k]->time > at_most) {
      estimate.time = at_most;
      continue;
    }
    estimate.time = ways[k]->time;
    estimate.distance_m = ways[k]->distance_m;
  }
  return estimates;
}

}  // namespace hail::driver
