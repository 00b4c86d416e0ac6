#include "driver-service/roads/road_speeds.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "driver-service/domain/travel_times.h"

namespace hail::driver {
namespace {

constexpr double kMpsPerMph = 0.44704;
constexpr double kCongestion = 2.16;

struct HighwayClass {
  std::string_view name;
  double mph;
};

constexpr HighwayClass kClasses[] = {
    {"motorway", 55},     {"motorway_link", 35}, {"trunk", 45},          {"trunk_link", 30}, {"primary", 30},
    {"primary_link", 25}, {"secondary", 30},     {"secondary_link", 25}, {"tertiary", 25},   {"tertiary_link", 25},
    {"unclassified", 25}, {"residential", 25},   {"road", 25},           {"service", 15},    {"living_street", 15},
};

}  // namespace

std::optional<double> FreeSpeedMps(std::string_view highway) {
  for (const HighwayClass& known : kClasses) {
    if (known.name == highway) return known.mph * kMpsPerMph;
  }
  return std::nullopt;
}

std::array<double, 24> CongestionFactors() {
  const std::array<double, 24> speeds = StraightLineTravelTimes::Options().speed_mps;
  std::array<double, 24> sorted = speeds;
  std::sort(sorted.begin(), sorted.end());
  const double middling = (sorted[11] + sorted[12]) / 2;
  std::array<double, 24> factors;
  for (std::size_t hour = 0; hour < 24; ++hour) factors[hour] = kCongestion * middling / speeds[hour];
  return factors;
}

void SetObservedTimes(std::span<const HourlySeconds> observed, RoadNetwork* network) {
  HourlySeconds total{};
  for (const HourlySeconds& seconds : observed) {
    for (std::size_t hour = 0; hour < 24; ++hour) total[hour] += seconds[hour];
  }
  const double day = std::accumulate(total.begin(), total.end(), 0.0) / 24;
  if (!(day > 0)) return;
  // An hour without observations gets the day's mean.
  for (std::size_t hour = 0; hour < 24; ++hour) {
    network->hour_factors[hour] = total[hour] > 0 ? std::clamp(total[hour] / day, 0.01, 100.0) : 1;
  }
  for (std::size_t i = 0; i < observed.size(); ++i) {
    double sum = 0;
    for (std::size_t hour = 0; hour < 24; ++hour) sum += observed[i][hour] / network->hour_factors[hour];
    network->edges[i].time_s = sum / 24;
  }
}

}  // namespace hail::driver
