// The cars in a cube of the earth, in leaves of a few cars each wherever they stand: crowded places are split finer.
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

// A car in a tree: what a search looks at, without a look at the car itself.
struct PlacedCar {
  EarthPoint point{};
  // Fix::observed in WholeSeconds.
  std::uint32_t observed_s = 0;
  const CarKind* kind = nullptr;
  Car* car = nullptr;
};
// Two in a cache line: what is looked at most decides how fast a search is.
static_assert(sizeof(PlacedCar) == 32);

// Since 1970, rounded down; times before and after what fits are the first and the last second.
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
  // Where `car`, which is in a tree, was put.
  static const EarthPoint& PointOf(const Car& car);

  // Shows `visitor` the cars that are within visitor.squared_reach() of `from`, and others, leaf by leaf, more or less
  // the nearest first: visitor.Look(cars). The reach may shrink on the way.
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
    // Of a leaf.
    std::vector<PlacedCar> cars;
    // None: a leaf.
    std::unique_ptr<std::array<Node, 8>> octants;
    // Cars here and below.
    std::uint32_t count = 0;
    // A bit for each octant that has cars: most are underground or in the air.
    std::uint8_t occupied = 0;
  };
  static_assert(sizeof(Node) == 64);

  // A leaf with more cars is split. Searches are about as fast with 16 or 32.
  static constexpr std::size_t kMostCars = 24;
  // A node with no more cars becomes a leaf again; so far below kMostCars that moves to and fro change nothing.
  static constexpr std::size_t kFewCars = 8;
  // Leaves of 1.5 m are not split: many drivers can be at one point.
  static constexpr int kSmallestShift = 8;

  template <typename Visitor>
  static void Search(const Node& node, const EarthPoint& from, Visitor& visitor);

  static void Append(Node& leaf, const PlacedCar& placed);
  // Puts it into its leaf below `node`, or into `node`, whose own count is the caller's.
  static void PutBelow(Node* node, const PlacedCar& placed);
  // Out of its leaf, and of the counts of the nodes around it, up to `end` and without it; null: of all.
  static void TakeOut(const Car& car, const Node* end);
  static void Split(Node& leaf);
  // Moves all cars below `node` into `leaf`.
  static void Gather(Node& node, Node& leaf);

  Node root_;
};

// A Fix in the space of a cache line. What is not known is NaN.
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

// A driver and what is known of that driver: two cache lines. LocationIndex says which lock guards what.
struct alignas(64) Car {
  static constexpr std::uint16_t kNowhere = 0xffff;

  std::string driver_id;
  // Null: not known.
  const CarKind* kind = nullptr;
  // In the tree it is in, and its place in `leaf->cars`.
  CarTree::Node* leaf = nullptr;
  PlacedCar* entry = nullptr;
  // Of the driver_id: different if this is, the same for one other driver in four thousand millions.
  std::uint32_t id_hash = 0;
  // The shard of the tile it is in, or kNowhere.
  std::uint16_t tile_shard = kNowhere;
  bool offerable = false;
  // Whether there is a fix.
  bool located : 1 = false;
  // Whether the fix is in doubt: later ones that disagree with it are held. It is in no tree then.
  bool doubted : 1 = false;
  StoredFix fix;
};
static_assert(sizeof(Car) == 128);

template <typename Visitor>
void CarTree::Search(const Node& node, const EarthPoint& from, Visitor& visitor) {
  if (node.octants == nullptr) return visitor.Look(absl::MakeConstSpan(node.cars));
  // The square of the way to the nearer half and to the further, on each axis.
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
  // First the nearest, then those one step from it, two, three. Who is next is not a branch: it would be guessed wrong.
  std::array<Next, 8> nexts;
  unsigned count = 0;
  for (const unsigned step : {0u, 1u, 2u, 4u, 3u, 5u, 6u, 7u}) {
    const std::int64_t squared_way = way[0][step & 1] + way[1][step >> 1 & 1] + way[2][step >> 2];
    nexts[count] = {&(*node.octants)[nearest ^ step], squared_way};
    count += (node.occupied >> (nearest ^ step) & 1) & static_cast<unsigned>(squared_way <= visitor.squared_reach());
  }
  // Memory is slower than all else here: what is most likely looked at is asked for all at once.
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
