// The state of one search for the nearest drivers, over all its tiles.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "driver-service/domain/car_tree.h"
#include "driver-service/domain/earth_point.h"
#include "driver-service/domain/near_driver.h"

namespace hail::driver {

// Cars are ranked by their chords in whole units, equals by driver_id.
class NearestSearch {
 public:
  using Accept = absl::FunctionRef<bool(const std::string& driver_id)>;

  // All must outlive the search. `limit` must not be 0. `accept` may be null: all drivers.
  NearestSearch(const LatLng& point, std::size_t limit, double radius_m, const NearestFilter& filter,
                const Accept* accept);

  const EarthPoint& from() const { return from_; }
  // Cars further away do not count. Shrinks as cars are found.
  std::int64_t squared_reach() const { return squared_reach_; }
  // At least the square root of squared_reach().
  std::int64_t reach() const;

  // For CarTree::Search.
  void Look(absl::Span<const PlacedCar> cars);

  // Copies the hits of the present tile, before its lock is released.
  void LeaveTile();

  // The result, nearest first. Returns whether no driver was seen twice while crossing from one tile into another;
  // otherwise `found` may lack a driver.
  bool Finish(std::vector<NearDriver>& found);

 private:
  // One of the nearest cars so far.
  struct Hit {
    std::int64_t squared_chord;
    // The car, in the present tile; null: it was copied.
    const Car* car;
    // Index in `taken_down_`.
    std::size_t number;
  };
  struct TakenDown {
    TakenDown(std::int64_t squared_chord, const Car& car);

    NearDriver driver;
    std::uint32_t id_hash;
  };

  bool Fits(const CarKind& kind);
  bool IsFresh(const PlacedCar& placed) const;
  const std::string& DriverOf(const Hit& hit) const;
  void Add(std::int64_t squared_chord, const Car& car);
  bool HasSomebodyTwice() const;

  const EarthPoint from_;
  const std::size_t limit_;
  const NearestFilter& filter_;
  const std::uint32_t fresh_after_s_;
  const Accept* const accept_;
  std::int64_t squared_reach_;
  // At most `limit`, nearest first.
  absl::InlinedVector<Hit, 16> hits_;
  // Copies from earlier tiles. Some may not be hits any more, because nearer cars were found.
  absl::InlinedVector<TakenDown, 24> taken_down_;
  // Kinds of cars met: CarKind::number * 2, plus 1 if the filter accepts it, at index number % size.
  std::array<std::uint32_t, 64> kinds_{};
  int tiles_with_hits_ = 0;
};

}  // namespace hail::driver
