// Random distributions over a source of 64-bit words. They are written out because the standard library's distributions
// differ between implementations; a seed must mean the same run everywhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/time/time.h"

namespace hail::simulation {

using Bits = std::function<std::uint64_t()>;

// All copies of the result draw from one source. Copies of `random` itself could each have their own state.
inline Bits Shared(Bits random) {
  return [source = std::make_shared<Bits>(std::move(random))] { return (*source)(); };
}

// In [0, 1).
inline double Unit(const Bits& random) { return static_cast<double>(random() >> 11) * 0x1.0p-53; }

inline bool Chance(const Bits& random, double probability) { return probability > 0 && Unit(random) < probability; }

// Exponential around `mean`, at most `max`, in whole nanoseconds.
inline absl::Duration Length(const Bits& random, absl::Duration mean, absl::Duration max) {
  if (mean <= absl::ZeroDuration()) return absl::ZeroDuration();
  return absl::Trunc(std::min(mean * -std::log1p(-Unit(random)), max), absl::Nanoseconds(1));
}

// Uniform below `max`, in whole nanoseconds.
inline absl::Duration Below(const Bits& random, absl::Duration max) {
  return absl::Trunc(max * Unit(random), absl::Nanoseconds(1));
}

}  // namespace hail::simulation
