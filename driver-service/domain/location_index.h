// Where drivers are, in memory: positions come in from any thread, and the nearest drivers who can be offered a ride
// are found without looking at all others.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::driver {

// One fix. Validity (range, zero island, speed) is the caller's to check.
struct Fix {
  LatLng point;
  // Orders fixes of one driver: (session_epoch, position_seq).
  std::int64_t session_epoch = 0;
  std::uint64_t position_seq = 0;
  // Domain time: receipt − age.
  absl::Time observed = absl::InfinitePast();
  std::optional<float> speed_mps;
  std::optional<float> heading_deg;
  std::optional<float> accuracy_m;
};

// What a driver can be asked for. Shared; never changed.
struct CarProfile {
  std::string region_id;
  std::vector<std::string> product_ids;
  int seats = 0;
};

// Which drivers count.
struct NearestFilter {
  // Empty: any.
  std::string region_id;
  // Empty: any.
  std::string product_id;
  // At least so many; 0: any.
  int seats = 0;
  // Fixes observed before this do not count (domain time).
  absl::Time fresh_after = absl::InfinitePast();
};

struct NearDriver {
  std::string driver_id;
  double distance_m = 0;
  Fix fix;
  std::shared_ptr<const CarProfile> car;
};

// Thread-safe. Offerable drivers with a position sit in S2 cells, spread over shards; all others are known by id only.
// A query that runs while a driver crosses from one cell into another may miss that driver, and never sees one twice.
class LocationIndex {
 public:
  LocationIndex();
  ~LocationIndex();
  LocationIndex(const LocationIndex&) = delete;
  LocationIndex& operator=(const LocationIndex&) = delete;

  // Makes a driver's car known, or replaces what was known of it. The position stays.
  void SetCar(const std::string& driver_id, std::shared_ptr<const CarProfile> car);

  // Whether the driver is to be found by Nearest. False at first. Freshness is not part of it: it is checked per query.
  void SetOfferable(const std::string& driver_id, bool offerable);

  // Takes a fix if it is newer than what is known by (session_epoch, position_seq), otherwise leaves it out and returns
  // false. Works for a driver without a car as well (who is not found until SetCar and SetOfferable).
  bool Update(const std::string& driver_id, const Fix& fix);

  // The latest fix taken; nullopt: none yet.
  std::optional<Fix> Find(const std::string& driver_id) const;

  // Forgets the driver.
  void Remove(const std::string& driver_id);

  // Up to `limit` offerable drivers within `radius_m` of `point` that pass `filter` and `accept`, nearest first, equals
  // by driver_id. `accept` runs under a lock of the index: it must not call the index.
  std::vector<NearDriver> Nearest(const LatLng& point, std::size_t limit, double radius_m, const NearestFilter& filter,
                                  absl::FunctionRef<bool(const std::string& driver_id)> accept) const;
  // As above, without `accept`.
  std::vector<NearDriver> Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                  const NearestFilter& filter) const;

  // How many drivers are in the cells: offerable, with a position of any age.
  std::size_t offerable_count() const { return offerable_count_.load(std::memory_order_relaxed); }

 private:
  struct Car;
  struct DriverShard;
  struct CellShard;

  static constexpr std::size_t kShards = 16;

  DriverShard& ShardOf(const std::string& driver_id) const;
  CellShard& ShardOfCell(std::uint64_t cell) const;
  // Puts `car` into the cell it belongs into, out of the one it was in. Under the driver shard's lock, which is always
  // taken before a cell shard's.
  void Place(const std::string& driver_id, Car& car);

  std::unique_ptr<std::array<DriverShard, kShards>> drivers_;
  std::unique_ptr<std::array<CellShard, kShards>> cells_;
  std::atomic<std::size_t> offerable_count_{0};
};

}  // namespace hail::driver
