// Estimates how long a new job will wait for a thread that takes all waiting jobs as one batch.
#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace hail {

// Learns the cost of a job from finished batches. Not thread-safe. Times are wall time, and never go back.
class QueueWait {
 public:
  void BatchBegan(absl::Time now, std::size_t jobs);
  void BatchEnded(absl::Time now);

  // The time until a job queued now behind `ahead` others is done. `ahead` excludes the running batch.
  absl::Duration Estimate(absl::Time now, std::size_t ahead) const;

 private:
  // The additional time per job. Zero until measured: nothing is refused because of a guess.
  absl::Duration per_job_;
  // The size of the running batch; 0: none.
  std::size_t running_ = 0;
  absl::Time began_;
};

}  // namespace hail
