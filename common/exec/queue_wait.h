// Estimates how long a new job will wait for a thread that takes all waiting jobs as one batch.
#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace hail {

// Learns what a job costs from batches done. Not thread-safe. Times are wall time, and never go back.
class QueueWait {
 public:
  void BatchBegan(absl::Time now, std::size_t jobs);
  void BatchEnded(absl::Time now);

  // Until a job is done that is queued now behind `ahead` others, the batch under way not counted.
  absl::Duration Estimate(absl::Time now, std::size_t ahead) const;

 private:
  // What one job more adds. Zero until known: nothing is refused on a guess.
  absl::Duration per_job_;
  // The batch under way; 0 jobs: none.
  std::size_t running_ = 0;
  absl::Time began_;
};

}  // namespace hail
