// The cars in a cube of the earth, in leaves of a few cars each: crowded places are split into smaller cubes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "driver-service/domain/car_kinds.h"
#include "driver-service/domain/earth_point.h"
#include "driver-service/domain/near_driver.h"

namespace hail::driver {

struct Car;

// A car in a tree, with the data for a search, so that the search need not read the Car.
struct PlacedCar {
  EarthPoint point{};
  // Fix::observed in WholeSeconds.
  std::uint32_t observed_s = 0;
  const CarKind* kind = nullptr;
  Car* car = nullptr;
};
// Two fit in a cache line: memory reads dominate the time of a search.
static_assert(sizeof(PlacedCar) == 32);

// Seconds since 1970, rounded down; times out of range become the first or last second.
inline std::uint32_t WholeSeconds(absl::Time time) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(absl::ToUnixSeconds(time), 0, 0xffff'ffff));
}

// An octree. Not thread-safe.
class CarTree {
 public:
  explicit CarTree(const EarthCube& cube) : root_{.cube = cube} {}
  CarTree(const CarTree&) = delete;
  CarTree& operator=(const CarTree&) = delete;

  const EarthCube& cube() const { return root_.cube; }
  bool empty() const { return root_.count == 0; }

  // `placed.point` is in cube(); `placed.car` is in no tree.
  void Insert(const PlacedCar& placed);
  // `placed.car` is in a tree, and `placed.point` in the cube of that tree.
  static void Move(const PlacedCar& placed);
  // `car` is in a tree.
  static void Remove(const Car& car);
  // The position under which `car` is in its tree. `car` must be in a tree.
  static const EarthPoint& PointOf(const Car& car);

  // Passes to `visitor` all cars within visitor.squared_reach() of `from`, and possibly others, leaf by leaf, roughly
  // nearest first: visitor.Look(cars). The reach may shrink during the search.
  template <typename Visitor>
  void Search(const EarthPoint& from, Visitor& visitor) const {
    if (root_.count > 0) Search(root_, from, visitor);
  }

 private:
  friend struct Car;

  // One cache line.
  struct alignas(64) Node {
    EarthCube cube;
    Node* parent = nullptr;
    // Used by leaves.
    std::vector<PlacedCar> cars;
    // Null: this is a leaf.
    std::unique_ptr<std::array<Node, 8>> octants;
    // The number of cars here and below.
    std::uint32_t count = 0;
    // One bit for each octant with cars: most octants are underground or in the air.
    std::uint8_t occupied = 0;
  };
  static_assert(sizeof(Node) == 64);

  // A leaf with more cars is split. 16 or 32 would make searches about as fast.
  static constexpr std::size_t kMostCars = 24;
  // A node with no more cars than this becomes a leaf again. Far below kMostCars, so that small movements do not
  // alternate between split and merge.
  static constexpr std::size_t kFewCars = 8;
  // Leaves of 1.5 m are not split, because many drivers can be at one point.
  static constexpr int kSmallestShift = 8;

  template <typename Visitor>
  static void Search(const Node& node, const EarthPoint& from, Visitor& visitor);

  static void Append(Node& leaf, const PlacedCar& placed);
  // Puts the car into its leaf below `node`, or into `node` itself; the caller updates the count of `node`.
  static void PutBelow(Node* node, const PlacedCar& placed);
  // Removes the car from its leaf, and from the counts of the nodes above, up to but excluding `end`; null: all nodes.
  static void TakeOut(const Car& car, const Node* end);
  static void Split(Node& leaf);
  // Moves all cars below `node` into `leaf`.
  static void Gather(Node& node, Node& leaf);

  Node root_;
};

// A Fix in the space of a cache line. Unknown values are NaN.
class StoredFix {
 public:
  StoredFix() = default;
  explicit StoredFix(const Fix& fix)
      : point_(fix.point),
        session_epoch_(fix.session_epoch),
        position_seq_(fix.position_seq),
        observed_(fix.observed),
        speed_mps_(fix.speed_mps.value_or(kUnknown)),
        heading_deg_(fix.heading_deg.value_or(kUnknown)),
        accuracy_m_(fix.accuracy_m.value_or(kUnknown)) {}

  const LatLng& point() const { return point_; }
  absl::Time observed() const { return observed_; }
  Fix Whole() const {
    const auto known = [](float value) { return std::isnan(value) ? std::nullopt : std::optional(value); };
    return {
        point_, session_epoch_, position_seq_, observed_, known(speed_mps_), known(heading_deg_), known(accuracy_m_)};
  }

 private:
  static constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

  LatLng point_;
  std::int64_t session_epoch_ = 0;
  std::uint64_t position_seq_ = 0;
  absl::Time observed_ = absl::InfinitePast();
  float speed_mps_ = kUnknown;
  float heading_deg_ = kUnknown;
  float accuracy_m_ = kUnknown;
};

// A driver's car and position: two cache lines. LocationIndex documents which lock guards which member.
struct alignas(64) Car {
  static constexpr std::uint16_t kNowhere = 0xffff;

  std::string driver_id;
  // Null: unknown.
  const CarKind* kind = nullptr;
  // The leaf in the car's tree, and its entry in `leaf->cars`.
  CarTree::Node* leaf = nullptr;
  PlacedCar* entry = nullptr;
  // A hash of the driver_id: different hashes mean different drivers; one in four billion other drivers has the same
  // hash.
  std::uint32_t id_hash = 0;
  // The shard of the car's tile, or kNowhere.
  std::uint16_t tile_shard = kNowhere;
  bool on_map = false;
  // Whether there is a fix.
  bool located : 1 = false;
  // Whether the fix is in doubt: later ones that disagree with it are held. The car is then in no tree.
  bool doubted : 1 = false;
  StoredFix fix;
};
static_assert(sizeof(Car) == 128);

template <typename Visitor>
void CarTree::Search(const Node& node, const EarthPoint& from, Visitor& visitor) {
  if (node.octants == nullptr) return visitor.Look(absl::MakeConstSpan(node.cars));
  // The squared distance to the nearer and to the further half, on each axis.
  std::array<std::array<std::int64_t, 2>, 3> way{};
  unsigned nearest = 0;
  const std::int64_t half = std::int64_t{1} << (node.cube.shift - 1);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t inside = std::int64_t{from[axis]} - node.cube.low[axis];
    const std::int64_t to_lower = std::max<std::int64_t>({0, -inside, inside - (half - 1)});
    const std::int64_t to_upper = std::max<std::int64_t>({0, half - inside, inside - (2 * half - 1)});
    const bool upper = to_upper < to_lower;
    nearest |= static_cast<unsigned>(upper) << axis;
    way[axis][upper ? 1 : 0] = to_lower * to_lower;
    way[axis][upper ? 0 : 1] = to_upper * to_upper;
  }
  struct Next {
    const Node* octant;
    std::int64_t squared_way;
  };
  // The nearest octant first, then those one, two and three steps away. Branch-free, because a branch would be
  // mispredicted.
  std::array<Next, 8> nexts;
  unsigned count = 0;
  for (const unsigned step : {0u, 1u, 2u, 4u, 3u, 5u, 6u, 7u}) {
    const std::int64_t squared_way = way[0][step & 1] + way[1][step >> 1 & 1] + way[2][step >> 2];
    nexts[count] = {&(*node.octants)[nearest ^ step], squared_way};
    count += (node.occupied >> (nearest ^ step) & 1) & static_cast<unsigned>(squared_way <= visitor.squared_reach());
  }
  // Memory latency dominates, so the data that is read next is prefetched together.
  for (unsigned i = 0; i < count; ++i) {
    const Node& octant = *nexts[i].octant;
    if (octant.octants == nullptr) {
      for (std::size_t at = 0; at < octant.cars.size(); at += 2) __builtin_prefetch(&octant.cars[at]);
    } else {
      for (const Node& below : *octant.octants) __builtin_prefetch(&below);
    }
  }
  for (unsigned i = 0; i < count; ++i) {
    if (nexts[i].squared_way <= visitor.squared_reach()) Search(*nexts[i].octant, from, visitor);
  }
}

}  // namespace hail::driver
