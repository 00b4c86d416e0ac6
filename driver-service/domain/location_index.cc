#include "driver-service/domain/location_index.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/synchronization/mutex.h"
#include "driver-service/domain/car_kinds.h"
#include "driver-service/domain/car_tree.h"
#include "driver-service/domain/earth_point.h"
#include "driver-service/domain/nearest_search.h"

namespace hail::driver {
namespace {

// Tiles have an edge of 800 m: large enough for most searches in a city, small enough to make lock contention rare.
constexpr int kTileShift = 17;

struct HashOfDriver {
  using is_transparent = void;
  std::size_t operator()(std::string_view driver_id) const { return absl::Hash<std::string_view>()(driver_id); }
  std::size_t operator()(const std::unique_ptr<Car>& car) const { return (*this)(car->driver_id); }
};

struct SameDriver {
  using is_transparent = void;
  static std::string_view IdOf(std::string_view driver_id) { return driver_id; }
  static std::string_view IdOf(const std::unique_ptr<Car>& car) {
    // The second cache line of a car is read next.
    __builtin_prefetch(&car->fix);
    return car->driver_id;
  }
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return IdOf(a) == IdOf(b);
  }
};

PlacedCar Placed(Car& car, absl::Time observed, const EarthPoint& point) {
  return {point, WholeSeconds(observed), car.kind, &car};
}

EarthCube TileAround(const EarthPoint& point) { return EarthCube::Around(point, kTileShift); }

}  // namespace

// Lock order: a driver's shard, then a tile's shard, never two of the same kind; the lock of CarKinds last.
//
// The lock of the tile's shard guards a car's `leaf` and `entry`, which belong to the tree. All other members change
// only under the lock of the driver's shard. While the car is in a tile, its kind and fix change under both locks, so
// that either lock is enough to read them.
struct alignas(64) LocationIndex::DriverShard {
  // The driver's car, or null.
  Car* Find(std::string_view driver_id, std::size_t hash) const ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    auto it = cars.find(driver_id, hash);
    return it == cars.end() ? nullptr : it->get();
  }
  Car& FindOrAdd(const std::string& driver_id, std::size_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (Car* car = Find(driver_id, hash)) return *car;
    auto car = std::make_unique<Car>();
    car->driver_id = driver_id;
    car->id_hash = static_cast<std::uint32_t>(hash);
    return **cars.insert(std::move(car)).first;
  }
  // The car must be in no tree, or not doubted.
  void EndDoubt(Car& car) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (!car.doubted) return;
    car.doubted = false;
    held.erase(&car);
  }

  mutable absl::Mutex mutex;
  absl::flat_hash_set<std::unique_ptr<Car>, HashOfDriver, SameDriver> cars ABSL_GUARDED_BY(mutex);
  // For doubted cars only, which are few, so that all other records stay small.
  absl::flat_hash_map<const Car*, FixJudge::Held> held ABSL_GUARDED_BY(mutex);
};

struct alignas(64) LocationIndex::TileShard {
  mutable absl::Mutex mutex;
  // By the low corner of their cubes. No tile is empty.
  absl::flat_hash_map<EarthPoint, std::unique_ptr<CarTree>> tiles ABSL_GUARDED_BY(mutex);
};

LocationIndex::LocationIndex(absl::Duration jitter)
    : drivers_(std::make_unique<std::array<DriverShard, kDriverShards>>()),
      tiles_(std::make_unique<std::array<TileShard, kTileShards>>()),
      kinds_(std::make_unique<CarKinds>()),
      judge_(jitter) {}

LocationIndex::~LocationIndex() = default;

LocationIndex::DriverShard& LocationIndex::ShardOf(std::size_t hash) const {
  // Uses bits of the hash that do not determine the position in a small table.
  return (*drivers_)[(hash >> 40) % kDriverShards];
}

std::size_t LocationIndex::ShardOfTile(std::size_t hash) { return hash % kTileShards; }

void LocationIndex::SetCar(const std::string& driver_id, std::shared_ptr<const CarProfile> profile) {
  const CarKind* kind = profile == nullptr ? nullptr : kinds_->Hold(std::move(profile));
  const std::size_t hash = HashOfDriver()(driver_id);
  DriverShard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  Car& car = shard.FindOrAdd(driver_id, hash);
  if (kind == nullptr) TakeOut(car);
  if (car.tile_shard == Car::kNowhere) {
    std::swap(car.kind, kind);
    Place(car);
  } else {
    absl::MutexLock tile_lock(&(*tiles_)[car.tile_shard].mutex);
    std::swap(car.kind, kind);
    CarTree::Move(Placed(car, car.fix.observed(), CarTree::PointOf(car)));
  }
  if (kind != nullptr) kinds_->Release(kind);
}

void LocationIndex::SetOnMap(const std::string& driver_id, bool on_map) {
  const std::size_t hash = HashOfDriver()(driver_id);
  DriverShard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  Car& car = shard.FindOrAdd(driver_id, hash);
  if (car.on_map == on_map) return;
  TakeOut(car);
  car.on_map = on_map;
  Place(car);
}

FixVerdict LocationIndex::Judge(const std::string& driver_id, Fix& fix) {
  const std::size_t hash = HashOfDriver()(driver_id);
  DriverShard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  Car& car = shard.FindOrAdd(driver_id, hash);
  if (car.located) {
    const Fix known = car.fix.Whole();
    FixJudge::Held none;
    FixJudge::Held& held = car.doubted ? shard.held[&car] : none;
    const FixVerdict verdict = judge_.Judge(known, held, fix);
    if (held.count > 0 && !car.doubted) {
      TakeOut(car);
      car.doubted = true;
      shard.held.emplace(&car, held);
    }
    if (!IsTaken(verdict)) return verdict;
    if (verdict == FixVerdict::kTakenInstead) given_up_count_.fetch_add(1, std::memory_order_relaxed);
    shard.EndDoubt(car);
    Put(car, fix);
    return verdict;
  }
  Put(car, fix);
  return FixVerdict::kTaken;
}

bool LocationIndex::Update(const std::string& driver_id, Fix fix) {
  const std::size_t hash = HashOfDriver()(driver_id);
  DriverShard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  Car& car = shard.FindOrAdd(driver_id, hash);
  if (car.located && !judge_.Follow(car.fix.Whole(), fix)) return false;
  shard.EndDoubt(car);
  Put(car, fix);
  return true;
}

void LocationIndex::Put(Car& car, const Fix& fix) {
  if (car.tile_shard != Car::kNowhere) {
    absl::MutexLock tile_lock(&(*tiles_)[car.tile_shard].mutex);
    // The read takes time; the point is computed meanwhile.
    __builtin_prefetch(car.entry, 1);
    const EarthPoint point = ToEarthPoint(fix.point);
    if (TileAround(CarTree::PointOf(car)).Contains(point)) {
      car.fix = StoredFix(fix);
      CarTree::Move(Placed(car, fix.observed, point));
      return;
    }
  }
  TakeOut(car);
  car.fix = StoredFix(fix);
  car.located = true;
  Place(car);
}

std::optional<Fix> LocationIndex::Find(const std::string& driver_id) const {
  const std::size_t hash = HashOfDriver()(driver_id);
  const DriverShard& shard = ShardOf(hash);
  absl::ReaderMutexLock lock(&shard.mutex);
  const Car* car = shard.Find(driver_id, hash);
  return car != nullptr && car->located ? std::optional(car->fix.Whole()) : std::nullopt;
}

bool LocationIndex::IsDoubted(const std::string& driver_id) const {
  const std::size_t hash = HashOfDriver()(driver_id);
  const DriverShard& shard = ShardOf(hash);
  absl::ReaderMutexLock lock(&shard.mutex);
  const Car* car = shard.Find(driver_id, hash);
  return car != nullptr && car->doubted;
}

void LocationIndex::Remove(const std::string& driver_id) {
  const std::size_t hash = HashOfDriver()(driver_id);
  DriverShard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  auto it = shard.cars.find(driver_id, hash);
  if (it == shard.cars.end()) return;
  TakeOut(**it);
  shard.EndDoubt(**it);
  if ((*it)->kind != nullptr) kinds_->Release((*it)->kind);
  shard.cars.erase(it);
}

void LocationIndex::Place(Car& car) {
  if (!car.on_map || car.kind == nullptr || !car.located || car.doubted) return;
  const EarthPoint point = ToEarthPoint(car.fix.point());
  const EarthCube cube = TileAround(point);
  car.tile_shard = static_cast<std::uint16_t>(ShardOfTile(absl::Hash<EarthPoint>()(cube.low)));
  TileShard& shard = (*tiles_)[car.tile_shard];
  absl::MutexLock lock(&shard.mutex);
  std::unique_ptr<CarTree>& tree = shard.tiles[cube.low];
  if (tree == nullptr) {
    tree = std::make_unique<CarTree>(cube);
    tile_count_.fetch_add(1, std::memory_order_relaxed);
  }
  tree->Insert(Placed(car, car.fix.observed(), point));
  on_map_count_.fetch_add(1, std::memory_order_relaxed);
}

void LocationIndex::TakeOut(Car& car) {
  if (car.tile_shard == Car::kNowhere) return;
  TileShard& shard = (*tiles_)[std::exchange(car.tile_shard, Car::kNowhere)];
  absl::MutexLock lock(&shard.mutex);
  auto it = shard.tiles.find(TileAround(CarTree::PointOf(car)).low);
  CarTree::Remove(car);
  if (it->second->empty()) {
    shard.tiles.erase(it);
    tile_count_.fetch_sub(1, std::memory_order_relaxed);
  }
  on_map_count_.fetch_sub(1, std::memory_order_relaxed);
}

std::vector<NearDriver> LocationIndex::Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                               const NearestFilter& filter) const {
  return Nearest(point, limit, radius_m, filter, nullptr);
}

std::vector<NearDriver> LocationIndex::Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                               const NearestFilter& filter,
                                               absl::FunctionRef<bool(const std::string& driver_id)> accept) const {
  return Nearest(point, limit, radius_m, filter, &accept);
}

std::vector<NearDriver> LocationIndex::Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                               const NearestFilter& filter,
                                               const absl::FunctionRef<bool(const std::string&)>* accept) const {
  std::vector<NearDriver> found;
  if (limit == 0 || !(radius_m > 0) || tile_count_.load(std::memory_order_relaxed) == 0) return found;
  for (;;) {
    NearestSearch search(point, limit, radius_m, filter, accept);
    Search(search);
    if (search.Finish(found)) return found;
  }
}

void LocationIndex::SearchTile(const EarthPoint& low, NearestSearch& search) const {
  const std::size_t hash = absl::Hash<EarthPoint>()(low);
  const TileShard& shard = (*tiles_)[ShardOfTile(hash)];
  absl::ReaderMutexLock lock(&shard.mutex);
  auto it = shard.tiles.find(low, hash);
  if (it == shard.tiles.end()) return;
  it->second->Search(search.from(), search);
  search.LeaveTile();
}

void LocationIndex::Search(NearestSearch& search) const {
  // The tile around the point, then rings of tiles at an edge's distance, two, four, while they can contain nearer
  // cars.
  SearchTile(TileAround(search.from()).low, search);
  std::int64_t searched = 0;
  for (std::int64_t ring = std::int64_t{1} << kTileShift; searched < search.reach(); ring *= 2) {
    ring = std::min(ring, search.reach());
    for (const TileAt& tile : TilesWithin(search.from(), searched, ring)) {
      if (tile.squared_chord > search.squared_reach()) break;
      SearchTile(tile.low, search);
    }
    searched = ring;
  }
}

absl::InlinedVector<LocationIndex::TileAt, 8> LocationIndex::TilesWithin(const EarthPoint& from, std::int64_t beyond,
                                                                         std::int64_t reach) const {
  absl::InlinedVector<TileAt, 8> found;
  const auto take = [&](const EarthCube& cube) {
    const std::int64_t squared_chord = cube.SquaredChordFrom(from);
    if (squared_chord > beyond * beyond && squared_chord <= reach * reach) found.push_back({squared_chord, cube.low});
  };
  EarthPoint first, last;
  double cubes = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    first[axis] = static_cast<std::int32_t>(std::max<std::int64_t>(0, from[axis] - reach) >> kTileShift);
    last[axis] = static_cast<std::int32_t>(std::min<std::int64_t>(2 * kEarthRadius, from[axis] + reach) >> kTileShift);
    cubes *= last[axis] - first[axis] + 1;
  }
  // Most cubes of space are empty: from some radius on there are more cubes to try than tiles in total.
  if (cubes > 27 && cubes > kTileShards + tile_count_.load(std::memory_order_relaxed)) {
    for (const TileShard& shard : *tiles_) {
      absl::ReaderMutexLock lock(&shard.mutex);
      for (const auto& [low, tree] : shard.tiles) take(tree->cube());
    }
  } else {
    for (std::int32_t x = first[0]; x <= last[0]; ++x) {
      for (std::int32_t y = first[1]; y <= last[1]; ++y) {
        for (std::int32_t z = first[2]; z <= last[2]; ++z) {
          take({{x << kTileShift, y << kTileShift, z << kTileShift}, kTileShift});
        }
      }
    }
  }
  std::sort(found.begin(), found.end(), [](const TileAt& a, const TileAt& b) {
    return std::tie(a.squared_chord, a.low) < std::tie(b.squared_chord, b.low);
  });
  return found;
}

}  // namespace hail::driver
