// Travel times of a road graph's edges, from map and survey data.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "driver-service/domain/road_graph.h"

namespace hail::driver {

// Metres per second on an empty street of OpenStreetMap's class (the tag `highway`): the usual speed limits in American
// cities. nullopt if the class is unknown or not for cars.
std::optional<double> FreeSpeedMps(std::string_view highway);

// Observed time ÷ time at FreeSpeedMps, by local hour: 2.16 at an hour of middling speed. That is the median over taxi
// trips in San Francisco on 22 May 2008 (CRAWDAD epfl/mobility), routed on OpenStreetMap; Manhattan has 1.52. The
// hourly variation is that of StraightLineTravelTimes, from the same trips.
std::array<double, 24> CongestionFactors();

// Seconds observed on one edge, by local hour.
using HourlySeconds = std::array<double, 24>;

// Sets the times of `network`'s edges and its factors from `observed`, one entry per edge: the time of an edge at an
// hour is its own mean pace over all hours × that of all streets at that hour. The single hours of one edge are too
// noisy for routing: of many almost equally quick ways, the search would take the one measured too quick
// (docs/decisions/0021-road-graph.md gives figures for both). The pace of all streets at an hour is the sum of their
// seconds ÷ the sum of their metres; the hour's factor is this pace ÷ the mean over the day.
void SetObservedTimes(std::span<const HourlySeconds> observed, RoadNetwork* network);

}  // namespace hail::driver
