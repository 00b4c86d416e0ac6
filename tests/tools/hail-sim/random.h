// Seeded random numbers. Each agent has its own generator, so that one agent's draws never change another agent's
// actions: a run's plan follows from its seed, independent of the network. The distributions are written out because
// the standard library's differ between implementations.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string_view>

#include "tests/splitmix64.h"
namespace hail::sim {

class Random {
 public:
  // `name` separates the generators of one seed.
  Random(std::uint64_t seed, std::string_view name) : state_(seed ^ 0x9e3779b97f4a7c15u) {
    for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    Bits();
  }

  std::uint64_t Bits() { return SplitMix64(state_); }

  // In [0, 1).
  double Unit() { return static_cast<double>(Bits() >> 11) * 0x1.0p-53; }
  double Between(double low, double high) { return low + (high - low) * Unit(); }
  bool Chance(double probability) { return Unit() < probability; }
  // In [0, size); `size` above 0.
  std::size_t Index(std::size_t size) { return static_cast<std::size_t>(Unit() * static_cast<double>(size)); }

  // Standard normal (Box and Muller 1958).
  double Normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - Unit()));
    return radius * std::cos(2.0 * std::numbers::pi * Unit());
  }
  double LogNormal(double median, double sigma) { return median * std::exp(sigma * Normal()); }

 private:
  std::uint64_t state_;
};

}  // namespace hail::sim
