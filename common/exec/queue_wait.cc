#include "common/exec/queue_wait.h"

#include <algorithm>

namespace hail {
namespace {

// The cost of a batch is one fsync plus a share per job. In a batch this large the fsync is negligible.
constexpr std::size_t kTelling = 64;
// The weight of the latest batch.
constexpr double kWeight = 0.2;

}  // namespace

void QueueWait::BatchBegan(absl::Time now, std::size_t jobs) {
  running_ = jobs;
  began_ = now;
}

void QueueWait::BatchEnded(absl::Time now) {
  if (running_ == 0) return;
  const absl::Duration each = (now - began_) / static_cast<double>(running_);
  if (running_ >= kTelling) {
    per_job_ = per_job_ == absl::ZeroDuration() ? each : per_job_ * (1 - kWeight) + each * kWeight;
  } else {
    // A small batch gives only an upper bound for a job's cost. This lowers the estimate after one slow batch: without
    // it, so few jobs would be admitted that no batch became large again.
    per_job_ = std::min(per_job_, each);
  }
  running_ = 0;
}

absl::Duration QueueWait::Estimate(absl::Time now, std::size_t ahead) const {
  absl::Duration left;
  if (running_ > 0) {
    // A batch that is late, for example because the disk stalls, will probably need as much time again as it is late.
    left = absl::AbsDuration(per_job_ * static_cast<double>(running_) - (now - began_));
  }
  return left + per_job_ * static_cast<double>(ahead);
}

}  // namespace hail
