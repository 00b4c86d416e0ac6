// One search for the nearest drivers, while it goes from tile to tile.
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

  // All of them outlive the search. `limit` is not 0. `accept` may be null: everybody.
  NearestSearch(const LatLng& point, std::size_t limit, double radius_m, const NearestFilter& filter,
                const Accept* accept);

  const EarthPoint& from() const { return from_; }
  // Whoever is further off does not count. Shrinks as cars are found.
  std::int64_t squared_reach() const { return squared_reach_; }
  // At least the root of that.
  std::int64_t reach() const;

  // For CarTree::Search.
  void Look(absl::Span<const PlacedCar> cars);

  // Takes down what was found in a tile, before its lock is given back.
  void LeaveTile();

  // Nearest first, at the end. Whether no driver was seen twice, crossing from one tile into another: otherwise `found`
  // may lack somebody.
  bool Finish(std::vector<NearDriver>& found);

 private:
  // One of the nearest so far.
  struct Hit {
    std::int64_t squared_chord;
    // Of the tile being looked at; null: taken down.
    const Car* car;
    // Where, in `taken_down_`.
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
  // `limit` at most, nearest first.
  absl::InlinedVector<Hit, 16> hits_;
  // Of tiles that were left. Some may be hits no more: others were nearer.
  absl::InlinedVector<TakenDown, 24> taken_down_;
  // Kinds of cars met: CarKind::number * 2, plus 1 if the filter lets it pass, at the place number % size.
  std::array<std::uint32_t, 64> kinds_{};
  int tiles_with_hits_ = 0;
};

}  // namespace hail::driver
