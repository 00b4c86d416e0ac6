#include "driver-service/domain/nearest_search.h"

#include <algorithm>
#include <cmath>
#include <string_view>
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
    : from_(ToEarthPoint(point)),
      limit_(limit),
      filter_(filter),
      fresh_after_s_(WholeSeconds(filter.fresh_after)),
      accept_(accept),
      squared_reach_(ChordUnder(radius_m) * ChordUnder(radius_m)) {}

std::int64_t NearestSearch::reach() const {
  return static_cast<std::int64_t>(std::sqrt(static_cast<double>(squared_reach_))) + 1;
}

inline bool NearestSearch::IsFresh(const PlacedCar& placed) const {
  if (placed.observed_s != fresh_after_s_) return placed.observed_s > fresh_after_s_;
  return placed.car->fix.observed() >= filter_.fresh_after;
}

inline bool NearestSearch::Fits(const CarKind& kind) {
  const std::uint32_t number = kind.number;
  std::uint32_t& known = kinds_[number % kinds_.size()];
  if (known / 2 != number) known = number * 2 + (Passes(*kind.profile, filter_) ? 1 : 0);
  return (known & 1) != 0;
}

void NearestSearch::Look(absl::Span<const PlacedCar> cars) {
  for (const PlacedCar& placed : cars) {
    const std::int64_t squared_chord = SquaredChord(from_, placed.point);
    if (squared_chord > squared_reach_ || !IsFresh(placed) || !Fits(*placed.kind)) continue;
    if (accept_ != nullptr && !(*accept_)(placed.car->driver_id)) continue;
    Add(squared_chord, *placed.car);
  }
}

const std::string& NearestSearch::DriverOf(const Hit& hit) const {
  return hit.car != nullptr ? hit.car->driver_id : taken_down_[hit.number].driver.driver_id;
}

void NearestSearch::Add(std::int64_t squared_chord, const Car& car) {
  const auto is_before = [&](const Hit& hit) {
    if (squared_chord != hit.squared_chord) return squared_chord < hit.squared_chord;
    return car.driver_id < DriverOf(hit);
  };
  if (hits_.size() == limit_) {
    if (!is_before(hits_.back())) return;
    hits_.pop_back();
  }
  // Read when the search leaves the tile, unless nearer cars replace it.
  __builtin_prefetch(&car);
  __builtin_prefetch(&car.fix);
  hits_.push_back({squared_chord, &car, 0});
  for (std::size_t at = hits_.size() - 1; at > 0 && is_before(hits_[at - 1]); --at) std::swap(hits_[at], hits_[at - 1]);
  if (hits_.size() == limit_) squared_reach_ = hits_.back().squared_chord;
}

NearestSearch::TakenDown::TakenDown(std::int64_t squared_chord, const Car& car)
    : driver{car.driver_id, DistanceOfChord(squared_chord), car.fix.Whole(), car.kind->profile}, id_hash(car.id_hash) {}

void NearestSearch::LeaveTile() {
  const std::size_t before = taken_down_.size();
  for (Hit& hit : hits_) {
    if (hit.car == nullptr) continue;
    const Car& car = *std::exchange(hit.car, nullptr);
    hit.number = taken_down_.size();
    taken_down_.emplace_back(hit.squared_chord, car);
  }
  if (taken_down_.size() > before) ++tiles_with_hits_;
}

bool NearestSearch::HasSomebodyTwice() const {
  absl::InlinedVector<std::uint32_t, 32> hashes;
  for (const Hit& hit : hits_) hashes.push_back(taken_down_[hit.number].id_hash);
  std::sort(hashes.begin(), hashes.end());
  if (std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end()) return false;
  std::vector<std::string_view> ids;
  for (const Hit& hit : hits_) ids.push_back(DriverOf(hit));
  std::sort(ids.begin(), ids.end());
  return std::adjacent_find(ids.begin(), ids.end()) != ids.end();
}

bool NearestSearch::Finish(std::vector<NearDriver>& found) {
  if (tiles_with_hits_ > 1 && HasSomebodyTwice()) return false;
  found.reserve(hits_.size());
  for (const Hit& hit : hits_) found.push_back(std::move(taken_down_[hit.number].driver));
  return true;
}

}  // namespace hail::driver
