#include "driver-service/domain/seen_cars.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <tuple>
#include <utility>

namespace hail::driver {
namespace {

// Cells are in bands of one degree of latitude. Within a band all cells have the same width, so they form straight
// columns. 1,482 rows per degree are 75 m each.
constexpr std::int64_t kRowsPerBand = 1482;
// The maximum displacement of a car.
constexpr double kFurthestOffM = 300;
constexpr std::int64_t kEtaStepS = 15;
constexpr double kHeadingStepDeg = 45;
// The border cells of a grid of five by five.
constexpr std::array<std::pair<int, int>, 16> kTwoAway = {{{-2, -2},
                                                           {-2, -1},
                                                           {-2, 0},
                                                           {-2, 1},
                                                           {-2, 2},
                                                           {-1, -2},
                                                           {-1, 2},
                                                           {0, -2},
                                                           {0, 2},
                                                           {1, -2},
                                                           {1, 2},
                                                           {2, -2},
                                                           {2, -1},
                                                           {2, 0},
                                                           {2, 1},
                                                           {2, 2}}};

// The same in each process and each run, unlike absl::Hash: replicas must agree. FNV-1a, mixed at the end.
std::uint64_t Mixed(const std::string& text, std::initializer_list<std::int64_t> numbers) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::uint64_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const char c : text) add(static_cast<unsigned char>(c));
  for (const std::int64_t number : numbers) {
    for (int shift = 0; shift < 64; shift += 8) add(static_cast<std::uint64_t>(number) >> shift & 0xff);
  }
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
  return hash ^ hash >> 31;
}

// Orders equal cars differently each hour, so that a car cannot be recognized by its position in a list.
std::uint64_t RankOf(const std::string& driver_id, absl::Time now) {
  return Mixed(driver_id, {absl::ToUnixSeconds(now) / 3600});
}

absl::Duration UpToStep(absl::Duration eta) {
  return absl::Ceil(std::max(eta, absl::Seconds(1)), absl::Seconds(kEtaStepS));
}

std::optional<float> CoarseHeading(const std::optional<float>& heading_deg) {
  if (!heading_deg) return std::nullopt;
  return static_cast<float>(std::fmod(std::round(*heading_deg / kHeadingStepDeg) * kHeadingStepDeg, 360.0));
}

}  // namespace

LatLng PlaceShown(const std::string& driver_id, const LatLng& point) {
  const double band = std::clamp(std::floor(point.latitude_deg), -90.0, 89.0);
  const auto row = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(std::floor((point.latitude_deg - band) * kRowsPerBand)), 0, kRowsPerBand - 1);
  // Cells are square in the middle of the band.
  const double narrowing = std::cos((band + 0.5) * std::numbers::pi / 180);
  const auto columns = static_cast<std::int64_t>(360 * kRowsPerBand * narrowing);
  const auto column =
      static_cast<std::int64_t>(std::floor((point.longitude_deg + 180) / 360 * static_cast<double>(columns)));
  auto [up, right] = kTwoAway[Mixed(driver_id, {}) % kTwoAway.size()];
  // Stay within the band, because other bands have other columns.
  if (row + up < 0 || row + up >= kRowsPerBand) up = -up;
  const std::int64_t shown_column = (column + right + 2 * columns) % columns;
  return {band + (static_cast<double>(row + up) + 0.5) / kRowsPerBand,
          (static_cast<double>(shown_column) + 0.5) * 360 / static_cast<double>(columns) - 180};
}

std::vector<SeenCar> CarsSeen(const CarSearch& search, const TravelTimes& travel_times, absl::Time now,
                              const RideNeeds& needs, double radius_m, std::size_t limit) {
  using Ranked = std::tuple<double, std::uint64_t, const NearDriver*, LatLng>;
  std::vector<NearDriver> found;
  std::vector<Ranked> seen;
  // The search ranks by true positions. It requests enough cars to include all that are shown nearest.
  for (std::size_t most = std::max<std::size_t>(64, 2 * limit);; most *= 4) {
    found = search.Nearest(now, needs, radius_m + kFurthestOffM, most);
    seen.clear();
    for (const NearDriver& driver : found) {
      const LatLng place = PlaceShown(driver.driver_id, driver.fix.point);
      const double distance_m = DistanceM(place, needs.pickup);
      if (distance_m <= radius_m) seen.emplace_back(distance_m, RankOf(driver.driver_id, now), &driver, place);
    }
    std::sort(seen.begin(), seen.end(), [](const Ranked& a, const Ranked& b) {
      return std::tie(std::get<0>(a), std::get<1>(a), std::get<2>(a)->driver_id) <
             std::tie(std::get<0>(b), std::get<1>(b), std::get<2>(b)->driver_id);
    });
    if (found.size() < most) break;
    if (seen.size() >= limit && std::get<0>(seen[limit - 1]) < found.back().distance_m - kFurthestOffM) break;
  }
  if (seen.size() > limit) seen.resize(limit);

  std::vector<LatLng> places;
  places.reserve(seen.size());
  for (const Ranked& car : seen) places.push_back(std::get<3>(car));
  const std::vector<TravelEstimate> ways = travel_times.EstimateTo(places, needs.pickup, now);
  std::vector<std::tuple<absl::Duration, std::uint64_t, std::size_t>> order;
  order.reserve(seen.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    order.emplace_back(UpToStep(ways[i].time), std::get<1>(seen[i]), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<SeenCar> cars;
  cars.reserve(order.size());
  for (const auto& [eta, rank, i] : order) {
    const auto& [distance_m, same_rank, driver, place] = seen[i];
    cars.push_back({driver->driver_id, place, CoarseHeading(driver->fix.heading_deg), driver->car, distance_m, eta});
  }
  return cars;
}

}  // namespace hail::driver
