#include "tests/tools/hail-load/histogram.h"

#include <algorithm>
#include <cmath>

namespace hail::load {
namespace {

// Each bucket's upper bound is 2^(1/16), 4.4 %, above the one before.
constexpr double kPerOctave = 16;
constexpr std::size_t kBuckets = 32 * 16;

}  // namespace

void Histogram::Add(absl::Duration duration) {
  if (buckets_.empty()) buckets_.resize(kBuckets);
  const double us = std::max(1.0, absl::ToDoubleMicroseconds(duration));
  const auto bucket = static_cast<std::size_t>(std::log2(us) * kPerOctave);
  ++buckets_[std::min(bucket, kBuckets - 1)];
  ++count_;
}

void Histogram::Add(const Histogram& other) {
  if (other.count_ == 0) return;
  if (buckets_.empty()) buckets_.resize(kBuckets);
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
}

absl::Duration Histogram::Quantile(double q) const {
  const auto wanted = static_cast<std::int64_t>(std::ceil(q * static_cast<double>(count_)));
  std::int64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen > 0 && seen >= wanted) return absl::Microseconds(std::exp2(static_cast<double>(i + 1) / kPerOctave));
  }
  return absl::ZeroDuration();
}

}  // namespace hail::load
