#include "driver-service/domain/location_index.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "absl/hash/hash.h"
#include "s2/s1angle.h"
#include "s2/s2cap.h"
#include "s2/s2cell_id.h"
#include "s2/s2latlng.h"
#include "s2/s2region_coverer.h"

namespace hail::driver {
namespace {

// Cells of about 2.2 km edge: the first rings of a search touch a handful, 12 km some hundred.
constexpr int kCellLevel = 12;
// The first ring looked at; each further one is twice as far.
constexpr double kFirstRadiusM = 750;
// Beyond this, going through all cells is cheaper than listing those in reach.
constexpr double kLongestRingM = 30000;
// With no more cars than this, too.
constexpr std::size_t kFewCars = 48;
// As in DistanceM.
constexpr double kEarthRadiusM = 6371008.8;

std::uint64_t CellOf(const LatLng& point) {
  return S2CellId(S2LatLng::FromDegrees(point.latitude_deg, point.longitude_deg)).parent(kCellLevel).id();
}

// All cells that reach within `radius_m` of `point`.
std::vector<S2CellId> CellsAround(const LatLng& point, double radius_m) {
  const S2Point center = S2LatLng::FromDegrees(point.latitude_deg, point.longitude_deg).ToPoint();
  // A little more, so that rounding loses nobody: distances are checked one by one.
  const S2Cap cap(center, S1Angle::Radians(radius_m * 1.000001 / kEarthRadiusM));
  std::vector<S2CellId> cells;
  S2RegionCoverer::GetSimpleCovering(cap, center, kCellLevel, &cells);
  return cells;
}

}  // namespace

struct LocationIndex::Car {
  std::optional<Fix> fix;
  std::shared_ptr<const CarProfile> profile;
  bool offerable = false;
  // 0: in none.
  std::uint64_t cell = 0;
};

struct LocationIndex::DriverShard {
  mutable absl::Mutex mutex;
  absl::flat_hash_map<std::string, Car> cars ABSL_GUARDED_BY(mutex);
};

struct LocationIndex::CellShard {
  struct Entry {
    std::string driver_id;
    Fix fix;
    std::shared_ptr<const CarProfile> profile;
  };
  mutable absl::Mutex mutex;
  absl::flat_hash_map<std::uint64_t, std::vector<Entry>> cells ABSL_GUARDED_BY(mutex);
};

LocationIndex::LocationIndex()
    : drivers_(std::make_unique<std::array<DriverShard, kShards>>()),
      cells_(std::make_unique<std::array<CellShard, kShards>>()) {}

LocationIndex::~LocationIndex() = default;

LocationIndex::DriverShard& LocationIndex::ShardOf(const std::string& driver_id) const {
  return (*drivers_)[absl::Hash<std::string>()(driver_id) % kShards];
}

LocationIndex::CellShard& LocationIndex::ShardOfCell(std::uint64_t cell) const {
  return (*cells_)[absl::Hash<std::uint64_t>()(cell) % kShards];
}

void LocationIndex::SetCar(const std::string& driver_id, std::shared_ptr<const CarProfile> car) {
  DriverShard& shard = ShardOf(driver_id);
  absl::MutexLock lock(&shard.mutex);
  Car& known = shard.cars[driver_id];
  known.profile = std::move(car);
  Place(driver_id, known);
}

void LocationIndex::SetOfferable(const std::string& driver_id, bool offerable) {
  DriverShard& shard = ShardOf(driver_id);
  absl::MutexLock lock(&shard.mutex);
  Car& known = shard.cars[driver_id];
  known.offerable = offerable;
  Place(driver_id, known);
}

bool LocationIndex::Update(const std::string& driver_id, const Fix& fix) {
  DriverShard& shard = ShardOf(driver_id);
  absl::MutexLock lock(&shard.mutex);
  Car& known = shard.cars[driver_id];
  if (known.fix.has_value() &&
      std::tie(fix.session_epoch, fix.position_seq) <= std::tie(known.fix->session_epoch, known.fix->position_seq)) {
    return false;
  }
  known.fix = fix;
  Place(driver_id, known);
  return true;
}

std::optional<Fix> LocationIndex::Find(const std::string& driver_id) const {
  const DriverShard& shard = ShardOf(driver_id);
  absl::ReaderMutexLock lock(&shard.mutex);
  auto it = shard.cars.find(driver_id);
  return it == shard.cars.end() ? std::nullopt : it->second.fix;
}

void LocationIndex::Remove(const std::string& driver_id) {
  DriverShard& shard = ShardOf(driver_id);
  absl::MutexLock lock(&shard.mutex);
  auto it = shard.cars.find(driver_id);
  if (it == shard.cars.end()) return;
  it->second.offerable = false;
  Place(driver_id, it->second);
  shard.cars.erase(it);
}

void LocationIndex::Place(const std::string& driver_id, Car& car) {
  const bool placed = car.offerable && car.profile != nullptr && car.fix.has_value();
  const std::uint64_t cell = placed ? CellOf(car.fix->point) : 0;
  const std::uint64_t old_cell = std::exchange(car.cell, cell);
  // Into the new before out of the old: a query may see both, and drops one.
  if (cell != 0) {
    CellShard& shard = ShardOfCell(cell);
    absl::MutexLock lock(&shard.mutex);
    std::vector<CellShard::Entry>& entries = shard.cells[cell];
    auto entry = std::find_if(entries.begin(), entries.end(),
                              [&](const CellShard::Entry& e) { return e.driver_id == driver_id; });
    if (entry == entries.end()) {
      entries.push_back({driver_id, *car.fix, car.profile});
    } else {
      entry->fix = *car.fix;
      entry->profile = car.profile;
    }
  }
  if (old_cell != 0 && old_cell != cell) {
    CellShard& shard = ShardOfCell(old_cell);
    absl::MutexLock lock(&shard.mutex);
    auto it = shard.cells.find(old_cell);
    std::erase_if(it->second, [&](const CellShard::Entry& e) { return e.driver_id == driver_id; });
    if (it->second.empty()) shard.cells.erase(it);
  }
  if (old_cell == 0 && cell != 0) offerable_count_.fetch_add(1, std::memory_order_relaxed);
  if (old_cell != 0 && cell == 0) offerable_count_.fetch_sub(1, std::memory_order_relaxed);
}

std::vector<NearDriver> LocationIndex::Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                               const NearestFilter& filter) const {
  return Nearest(point, limit, radius_m, filter, [](const std::string&) { return true; });
}

std::vector<NearDriver> LocationIndex::Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                               const NearestFilter& filter,
                                               absl::FunctionRef<bool(const std::string& driver_id)> accept) const {
  std::vector<NearDriver> found;
  if (limit == 0 || !(radius_m > 0)) return found;
  auto take = [&](const std::vector<CellShard::Entry>& entries, double reach_m) {
    for (const CellShard::Entry& entry : entries) {
      const CarProfile& car = *entry.profile;
      if (entry.fix.observed < filter.fresh_after || car.seats < filter.seats) continue;
      if (!filter.region_id.empty() && car.region_id != filter.region_id) continue;
      if (!filter.product_id.empty() &&
          std::find(car.product_ids.begin(), car.product_ids.end(), filter.product_id) == car.product_ids.end()) {
        continue;
      }
      const double distance_m = DistanceM(point, entry.fix.point);
      if (distance_m > reach_m || !accept(entry.driver_id)) continue;
      found.push_back({entry.driver_id, distance_m, entry.fix, entry.profile});
    }
  };

  double reach_m = std::min(kFirstRadiusM, radius_m);
  if (radius_m > kLongestRingM || offerable_count() <= kFewCars) reach_m = radius_m;
  for (;; reach_m = std::min(radius_m, reach_m * 2)) {
    found.clear();
    if (reach_m > kLongestRingM || offerable_count() <= kFewCars) {
      for (const CellShard& shard : *cells_) {
        absl::ReaderMutexLock lock(&shard.mutex);
        for (const auto& [cell, entries] : shard.cells) take(entries, reach_m);
      }
    } else {
      for (const S2CellId cell : CellsAround(point, reach_m)) {
        const CellShard& shard = ShardOfCell(cell.id());
        absl::ReaderMutexLock lock(&shard.mutex);
        if (auto it = shard.cells.find(cell.id()); it != shard.cells.end()) take(it->second, reach_m);
      }
    }
    // By number of fix within a driver, the newest first: of one seen in two cells that is the true one.
    std::sort(found.begin(), found.end(), [](const NearDriver& a, const NearDriver& b) {
      return std::tie(a.driver_id, b.fix.session_epoch, b.fix.position_seq) <
             std::tie(b.driver_id, a.fix.session_epoch, a.fix.position_seq);
    });
    found.erase(std::unique(found.begin(), found.end(),
                            [](const NearDriver& a, const NearDriver& b) { return a.driver_id == b.driver_id; }),
                found.end());
    if (found.size() >= limit || reach_m >= radius_m) break;
  }
  std::sort(found.begin(), found.end(), [](const NearDriver& a, const NearDriver& b) {
    return std::tie(a.distance_m, a.driver_id) < std::tie(b.distance_m, b.driver_id);
  });
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace hail::driver
