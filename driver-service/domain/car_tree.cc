#include "driver-service/domain/car_tree.h"

#include <algorithm>
#include <utility>

namespace hail::driver {

void CarTree::Append(Node& leaf, const PlacedCar& placed) {
  if (leaf.cars.size() == leaf.cars.capacity()) {
    // Usually one allocation per leaf, except for leaves too small to be split.
    leaf.cars.reserve(std::max(kMostCars + 1, 2 * leaf.cars.size()));
    for (PlacedCar& moved : leaf.cars) moved.car->entry = &moved;
  }
  leaf.cars.push_back(placed);
  placed.car->leaf = &leaf;
  placed.car->entry = &leaf.cars.back();
}

void CarTree::PutBelow(Node* node, const PlacedCar& placed) {
  while (node->octants != nullptr) {
    const unsigned octant = node->cube.OctantOf(placed.point);
    node->occupied |= static_cast<std::uint8_t>(1u << octant);
    node = &(*node->octants)[octant];
    ++node->count;
  }
  Append(*node, placed);
  if (node->count > kMostCars) Split(*node);
}

void CarTree::TakeOut(const Car& car, const Node* end) {
  Node& leaf = *car.leaf;
  *car.entry = leaf.cars.back();
  car.entry->car->entry = car.entry;
  leaf.cars.pop_back();
  Node* to_join = nullptr;
  for (Node* node = &leaf; node != end; node = node->parent) {
    --node->count;
    if (node->count == 0 && node->parent != nullptr) {
      node->parent->occupied &= static_cast<std::uint8_t>(~(1u << node->parent->cube.OctantOf(node->cube.low)));
    }
    if (node->count <= kFewCars && node->octants != nullptr) to_join = node;
  }
  if (to_join == nullptr) return;
  const auto octants = std::exchange(to_join->octants, nullptr);
  to_join->occupied = 0;
  for (Node& octant : *octants) Gather(octant, *to_join);
}

void CarTree::Insert(const PlacedCar& placed) {
  ++root_.count;
  PutBelow(&root_, placed);
}

void CarTree::Move(const PlacedCar& placed) {
  // Four of five cars stay in their leaf.
  Node* around = placed.car->leaf;
  if (around->cube.Contains(placed.point)) {
    *placed.car->entry = placed;
    return;
  }
  while (!around->cube.Contains(placed.point)) around = around->parent;
  TakeOut(*placed.car, around);
  PutBelow(around, placed);
}

void CarTree::Remove(const Car& car) { TakeOut(car, nullptr); }

const EarthPoint& CarTree::PointOf(const Car& car) { return car.entry->point; }

void CarTree::Split(Node& leaf) {
  if (leaf.cube.shift <= kSmallestShift) return;
  leaf.octants = std::make_unique<std::array<Node, 8>>();
  for (unsigned i = 0; i < 8; ++i) {
    (*leaf.octants)[i].cube = leaf.cube.Octant(i);
    (*leaf.octants)[i].parent = &leaf;
  }
  for (const PlacedCar& placed : std::exchange(leaf.cars, {})) {
    const unsigned octant = leaf.cube.OctantOf(placed.point);
    leaf.occupied |= static_cast<std::uint8_t>(1u << octant);
    ++(*leaf.octants)[octant].count;
    Append((*leaf.octants)[octant], placed);
  }
  for (Node& octant : *leaf.octants) {
    if (octant.count > kMostCars) Split(octant);
  }
}

void CarTree::Gather(Node& node, Node& leaf) {
  for (const PlacedCar& placed : node.cars) Append(leaf, placed);
  if (node.octants == nullptr) return;
  for (Node& octant : *node.octants) Gather(octant, leaf);
}

}  // namespace hail::driver
