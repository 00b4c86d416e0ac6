// Seeded choices for the differential tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace hail {

// splitmix64 (Steele, Lea, Flood 2014): the same everywhere, unlike the standard library's distributions.
class Choices {
 public:
  explicit Choices(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // 0 … n − 1.
  int Below(int n) { return static_cast<int>(Bits() % static_cast<std::uint64_t>(n)); }
  bool OneIn(int n) { return Below(n) == 0; }
  // One of `n` names.
  std::string Name(const std::string& prefix, int n) { return prefix + std::to_string(Below(n)); }

 private:
  std::uint64_t state_;
};

// How many seeds to try: HAIL_SEEDS, or else the few that are enough in passing.
inline int Seeds(int few) {
  const char* const seeds = std::getenv("HAIL_SEEDS");
  return seeds == nullptr ? few : std::max(1, std::atoi(seeds));
}

}  // namespace hail
