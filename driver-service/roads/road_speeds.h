// How long edges of a road graph take, from what maps and surveys say of them.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "driver-service/domain/road_graph.h"

namespace hail::driver {

// Metres per second on an empty street of OpenStreetMap's class (the tag `highway`): the speed limits usual in American
// cities. Nothing for a class that cars do not drive on, or that is not known.
std::optional<double> FreeSpeedMps(std::string_view highway);

// Observed time ÷ time at FreeSpeedMps, by local hour: 2.16 at an hour of middling speed. That is the median over taxi
// trips in San Francisco on 22 May 2008 (CRAWDAD epfl/mobility), routed on OpenStreetMap; Manhattan has 1.52. By hour
// it goes with the speeds of StraightLineTravelTimes, which are of the same trips.
std::array<double, 24> CongestionFactors();

// Seconds observed on one edge, by local hour.
using HourlySeconds = std::array<double, 24>;

// Sets the times of `network`'s edges and its factors from `observed`, one for each edge: the time of an edge at an
// hour is its own mean pace over all hours × that of all streets at that hour. Each hour of each edge by itself is too
// noisy to route by: of many ways that are about as quick the search takes the one measured too quick
// (docs/decisions/0021-road-graph.md has both in figures). An hour's pace of all streets is their seconds ÷ their
// metres, its factor that ÷ the mean of the day's.
void SetObservedTimes(std::span<const HourlySeconds> observed, RoadNetwork* network);

}  // namespace hail::driver
