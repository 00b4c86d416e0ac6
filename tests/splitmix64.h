// Random numbers for tests and tools: a seed means the same everywhere, unlike with the standard library's
// distributions.
#pragma once

#include <cstdint>

namespace hail {

// Advances `state` and returns the next 64 bits, by splitmix64 (Steele, Lea, Flood 2014).
inline std::uint64_t SplitMix64(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace hail
