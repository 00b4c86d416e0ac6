// Drivers' positions, in memory: any thread may add positions, and a search for the nearest drivers on the map need not
// scan all others.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "common/geo/lat_lng.h"
#include "common/geo/position_order.h"
#include "driver-service/domain/earth_point.h"
#include "driver-service/domain/near_driver.h"
#include "driver-service/domain/position_rules.h"

namespace hail::driver {

struct Car;
class CarKinds;
class NearestSearch;

// Thread-safe. Drivers on the map with a position are in tiles of the earth, spread over shards; crowded tiles are
// split into smaller cubes. All other drivers are known by id only. A query that runs while a driver crosses from one
// tile into another may miss that driver, but never returns the driver twice.
class LocationIndex {
 public:
  // `jitter` is kArrivalJitter as domain time.
  explicit LocationIndex(absl::Duration jitter = kArrivalJitter);
  ~LocationIndex();
  LocationIndex(const LocationIndex&) = delete;
  LocationIndex& operator=(const LocationIndex&) = delete;

  // Sets or replaces a driver's car. The position stays.
  void SetCar(const std::string& driver_id, std::shared_ptr<const CarProfile> car);

  // Whether Nearest may return the driver: one who can be offered a ride, or has an offer. False at first. Freshness is
  // not included: each query checks it.
  void SetOnMap(const std::string& driver_id, bool on_map);

  // Judges a fix from the driver's device by FixJudge: the first one is taken, each later one is compared with the
  // present one. For a taken fix, `observed` is set to the time under which it is stored. A driver whose fix is in
  // doubt is not found until a fix is taken again. Also works for a driver without a car (who is not found until SetCar
  // and SetOnMap).
  FixVerdict Judge(const std::string& driver_id, Fix& fix);

  // Takes a fix that was judged elsewhere if it is later than the present one; otherwise ignores it and returns false.
  // Ends a doubt.
  bool Update(const std::string& driver_id, Fix fix);

  // The latest taken fix; nullopt: none yet.
  std::optional<Fix> Find(const std::string& driver_id) const;

  // Whether that fix is in doubt: later ones disagree with it, and it is not known yet which are right.
  bool IsDoubted(const std::string& driver_id) const;

  // Removes the driver.
  void Remove(const std::string& driver_id);

  // Up to `limit` drivers on the map within `radius_m` of `point` that pass `filter` and `accept`, nearest first,
  // equals by driver_id. `accept` runs under a lock of the index: it must not call the index.
  std::vector<NearDriver> Nearest(const LatLng& point, std::size_t limit, double radius_m, const NearestFilter& filter,
                                  absl::FunctionRef<bool(const std::string& driver_id)> accept) const;
  // As above, without `accept`.
  std::vector<NearDriver> Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                  const NearestFilter& filter) const;

  // The number of drivers in tiles: on the map, with a position of any age that is not in doubt.
  std::size_t on_map_count() const { return on_map_count_.load(std::memory_order_relaxed); }

  // How often a fix was replaced because later ones agreed against it.
  std::size_t given_up_count() const { return given_up_count_.load(std::memory_order_relaxed); }

 private:
  struct DriverShard;
  struct TileShard;
  // A tile's low corner, and its distance from a point.
  struct TileAt {
    std::int64_t squared_chord;
    EarthPoint low;
  };

  static constexpr std::size_t kDriverShards = 128;
  static constexpr std::size_t kTileShards = 128;

  // By the hash of the driver's id.
  DriverShard& ShardOf(std::size_t hash) const;
  // By the hash of the tile's low corner.
  static std::size_t ShardOfTile(std::size_t hash);

  // Moves the car to `fix`, which is not in doubt.
  void Put(Car& car, const Fix& fix);
  // Puts `car`, which is in no tile, into its tile, if the driver may be found.
  void Place(Car& car);
  // Removes the car from its tile, if it is in one.
  void TakeOut(Car& car);

  // `accept` may be null.
  std::vector<NearDriver> Nearest(const LatLng& point, std::size_t limit, double radius_m, const NearestFilter& filter,
                                  const absl::FunctionRef<bool(const std::string& driver_id)>* accept) const;
  void Search(NearestSearch& search) const;
  void SearchTile(const EarthPoint& low, NearestSearch& search) const;
  // The tiles, some of them empty, within `reach` of `from` but not within `beyond`, nearest first.
  absl::InlinedVector<TileAt, 8> TilesWithin(const EarthPoint& from, std::int64_t beyond, std::int64_t reach) const;

  std::unique_ptr<std::array<DriverShard, kDriverShards>> drivers_;
  std::unique_ptr<std::array<TileShard, kTileShards>> tiles_;
  std::unique_ptr<CarKinds> kinds_;
  const FixJudge judge_;
  std::atomic<std::size_t> on_map_count_{0};
  std::atomic<std::size_t> given_up_count_{0};
  // Used as an estimate.
  std::atomic<std::size_t> tile_count_{0};
};

}  // namespace hail::driver
