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

// Cars are ranked by their chords in whole units. Chords that differ by less than kChordMargin may be in the wrong
// order, so those are kept as well, and DistanceM decides.
class NearestSearch {
 public:
  using Accept = absl::FunctionRef<bool(const std::string& driver_id)>;

  // All of them outlive the search. `accept` may be null: everybody.
  NearestSearch(const LatLng& point, std::size_t limit, double radius_m, const NearestFilter& filter,
                const Accept* accept);

  const EarthPoint& from() const { return from_; }
  // Whoever is further off, as chords go, does not count. Shrinks as cars are found.
  std::int64_t reach() const { return reach_; }
  std::int64_t squared_reach() const { return reach_ * reach_; }

  // For CarTree::Search.
  void Look(absl::Span<const PlacedCar> cars);

  // Takes down what was found in a tile, before its lock is given back.
  void LeaveTile();

  // Nearest first, at the end. Whether no driver was seen twice, crossing from one tile into another: otherwise `found`
  // may lack somebody.
  bool Finish(std::vector<NearDriver>& found);

 private:
  struct Candidate {
    std::int64_t squared_chord;
    const Car* car;
  };

  bool Fits(const CarKind& kind);
  bool IsFresh(const PlacedCar& placed) const;
  void Add(std::int64_t squared_chord, const Car& car);

  const LatLng point_;
  const EarthPoint from_;
  const std::size_t limit_;
  const double radius_m_;
  const NearestFilter& filter_;
  const std::uint32_t fresh_after_s_;
  const Accept* const accept_;
  std::int64_t reach_;
  // Chords of the `limit` nearest, as a heap, the furthest on top.
  absl::InlinedVector<std::int64_t, 16> nearest_;
  // Of the tile being looked at.
  absl::InlinedVector<Candidate, 64> candidates_;
  // Kinds of cars met: CarKind::number * 2, plus 1 if the filter lets it pass, at the place number % size.
  std::array<std::uint32_t, 64> kinds_{};
  std::vector<NearDriver> found_;
  int tiles_with_hits_ = 0;
};

}  // namespace hail::driver
