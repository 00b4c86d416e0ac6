#include "driver-service/domain/nearest_search.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <tuple>
#include <utility>

namespace hail::driver {
namespace {

bool Passes(const CarProfile& car, const NearestFilter& filter) {
  if (car.seats < filter.seats) return false;
  if (!filter.region_id.empty() && car.region_id != filter.region_id) return false;
  return filter.product_id.empty() ||
         std::find(car.product_ids.begin(), car.product_ids.end(), filter.product_id) != car.product_ids.end();
}

}  // namespace

NearestSearch::NearestSearch(const LatLng& point, std::size_t limit, double radius_m, const NearestFilter& filter,
                             const Accept* accept)
    : point_(point),
      from_(ToEarthPoint(point)),
      limit_(limit),
      radius_m_(radius_m),
      filter_(filter),
      fresh_after_s_(WholeSeconds(filter.fresh_after)),
      accept_(accept),
      reach_(ChordUnder(radius_m) + kChordMargin) {}

void NearestSearch::Look(absl::Span<const PlacedCar> cars) {
  for (const PlacedCar& placed : cars) {
    const std::int64_t squared_chord = SquaredChord(from_, placed.point);
    if (squared_chord > squared_reach() || !IsFresh(placed) || !Fits(*placed.kind)) continue;
    if (accept_ != nullptr && !(*accept_)(placed.car->driver_id)) continue;
    Add(squared_chord, *placed.car);
  }
}

bool NearestSearch::IsFresh(const PlacedCar& placed) const {
  if (placed.observed_s != fresh_after_s_) return placed.observed_s > fresh_after_s_;
  return placed.car->fix.observed >= filter_.fresh_after;
}

bool NearestSearch::Fits(const CarKind& kind) {
  const std::uint32_t number = kind.number;
  std::uint32_t& known = kinds_[number % kinds_.size()];
  if (known / 2 != number) known = number * 2 + (Passes(*kind.profile, filter_) ? 1 : 0);
  return (known & 1) != 0;
}

void NearestSearch::Add(std::int64_t squared_chord, const Car& car) {
  // It will most likely be read on leaving the tile.
  __builtin_prefetch(&car);
  __builtin_prefetch(&car.fix);
  candidates_.push_back({squared_chord, &car});
  if (nearest_.size() < limit_) {
    nearest_.push_back(squared_chord);
    if (nearest_.size() < limit_) return;
    std::make_heap(nearest_.begin(), nearest_.end());
  } else if (squared_chord < nearest_.front()) {
    std::pop_heap(nearest_.begin(), nearest_.end());
    nearest_.back() = squared_chord;
    std::push_heap(nearest_.begin(), nearest_.end());
  } else {
    return;
  }
  const auto furthest = static_cast<std::int64_t>(std::sqrt(static_cast<double>(nearest_.front()))) + 1;
  reach_ = std::min(reach_, furthest + kChordMargin);
}

void NearestSearch::LeaveTile() {
  absl::InlinedVector<std::pair<double, const Car*>, 32> hits;
  for (const Candidate& candidate : candidates_) {
    if (candidate.squared_chord > squared_reach()) continue;
    const double distance_m = DistanceM(point_, candidate.car->fix.point);
    if (distance_m <= radius_m_) hits.emplace_back(distance_m, candidate.car);
  }
  candidates_.clear();
  if (hits.empty()) return;
  std::sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second->driver_id) < std::tie(b.first, b.second->driver_id);
  });
  if (hits.size() > limit_) hits.resize(limit_);
  ++tiles_with_hits_;
  found_.reserve(found_.size() + hits.size());
  for (const auto& [distance_m, car] : hits) {
    found_.push_back({car->driver_id, distance_m, car->fix, car->kind->profile});
  }
}

bool NearestSearch::Finish(std::vector<NearDriver>& found) {
  found = std::move(found_);
  if (tiles_with_hits_ <= 1) return true;
  absl::InlinedVector<std::string_view, 32> ids;
  for (const NearDriver& driver : found) ids.push_back(driver.driver_id);
  std::sort(ids.begin(), ids.end());
  if (std::adjacent_find(ids.begin(), ids.end()) != ids.end()) return false;
  std::sort(found.begin(), found.end(), [](const NearDriver& a, const NearDriver& b) {
    return std::tie(a.distance_m, a.driver_id) < std::tie(b.distance_m, b.driver_id);
  });
  if (found.size() > limit_) found.resize(limit_);
  return true;
}

}  // namespace hail::driver
