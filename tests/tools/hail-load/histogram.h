// Durations, counted in buckets a few per cent wide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace hail::load {

// From 1 µs to about an hour. Not thread-safe.
class Histogram {
 public:
  void Add(absl::Duration duration);
  void Add(const Histogram& other);

  std::int64_t count() const { return count_; }
  // The smallest bucket's upper bound that at least a share `q` of all durations does not exceed; zero without
  // durations.
  absl::Duration Quantile(double q) const;

 private:
  std::vector<std::int64_t> buckets_;
  std::int64_t count_ = 0;
};

}  // namespace hail::load
