// Seeded choices for the differential tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tests/splitmix64.h"
namespace hail {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Bits() { return SplitMix64(state_); }
  // 0 … n − 1.
  int Below(int n) { return static_cast<int>(Bits() % static_cast<std::uint64_t>(n)); }
  bool OneIn(int n) { return Below(n) == 0; }
  // One of `n` names.
  std::string Name(const std::string& prefix, int n) { return prefix + std::to_string(Below(n)); }

 private:
  std::uint64_t state_;
};

// How many seeds to try: HAIL_SEEDS, or `few` if it is not set.
inline int Seeds(int few) {
  const char* const seeds = std::getenv("HAIL_SEEDS");
  return seeds == nullptr ? few : std::max(1, std::atoi(seeds));
}

}  // namespace hail
