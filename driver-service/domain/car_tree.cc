#include "driver-service/domain/car_tree.h"

#include <utility>

namespace hail::driver {

void CarTree::Append(Node& leaf, const PlacedCar& placed) {
  placed.car->leaf = &leaf;
  placed.car->slot = static_cast<std::uint32_t>(leaf.cars.size());
  leaf.cars.push_back(placed);
}

void CarTree::Insert(const PlacedCar& placed) {
  Node* node = &root_;
  for (;; node = &(*node->octants)[node->cube.OctantOf(placed.point)]) {
    ++node->count;
    if (node->octants == nullptr) break;
  }
  Append(*node, placed);
  if (node->count > kMostCars) Split(*node);
}

bool CarTree::ReplaceInLeaf(const PlacedCar& placed) {
  const Car& car = *placed.car;
  if (!car.leaf->cube.Contains(placed.point)) return false;
  car.leaf->cars[car.slot] = placed;
  return true;
}

const EarthCube& CarTree::CubeOf(const Car& car) {
  const Node* node = car.leaf;
  while (node->parent != nullptr) node = node->parent;
  return node->cube;
}

void CarTree::Remove(const Car& car) {
  Node& leaf = *car.leaf;
  leaf.cars[car.slot] = leaf.cars.back();
  leaf.cars[car.slot].car->slot = car.slot;
  leaf.cars.pop_back();
  Node* to_join = nullptr;
  for (Node* node = &leaf; node != nullptr; node = node->parent) {
    if (--node->count <= kFewCars && node->octants != nullptr) to_join = node;
  }
  if (to_join == nullptr) return;
  const auto octants = std::exchange(to_join->octants, nullptr);
  for (Node& octant : *octants) Gather(octant, *to_join);
}

void CarTree::Split(Node& leaf) {
  if (leaf.cube.shift <= kSmallestShift) return;
  leaf.octants = std::make_unique<std::array<Node, 8>>();
  for (unsigned i = 0; i < 8; ++i) {
    (*leaf.octants)[i].cube = leaf.cube.Octant(i);
    (*leaf.octants)[i].parent = &leaf;
  }
  for (const PlacedCar& placed : std::exchange(leaf.cars, {})) {
    Node& octant = (*leaf.octants)[leaf.cube.OctantOf(placed.point)];
    ++octant.count;
    Append(octant, placed);
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
