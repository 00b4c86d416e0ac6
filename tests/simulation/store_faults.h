// Delays and failures of a simulated store. All zero, as by default: it answers at once and never fails.
#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace hail::simulation {

// Lengths are wall time. Where a mean and a maximum are given, each length is drawn from an exponential distribution,
// cut at the maximum.
struct StoreFaults {
  // From the start of a batch, when deadlines are checked, to the instant at which all of it is on disk.
  absl::Duration commit_mean;
  absl::Duration commit_max;
  // From the commit until the callbacks run.
  absl::Duration ack_mean;
  absl::Duration ack_max;
  // From the call to the instant that the read sees, and the same again until the answer.
  absl::Duration read_mean;
  absl::Duration read_max;

  // Odds that a batch or a read takes up to `slow` longer, before its instant or after it.
  double slow_commit = 0;
  double slow_read = 0;
  absl::Duration slow = absl::Seconds(5);

  // Odds that a whole batch, or a read, gets STORE_UNAVAILABLE. The whole batch has then been committed, or none of it.
  double fail_written = 0;
  double fail_unwritten = 0;
  double fail_read = 0;

  // As in common/sqlite's GroupCommitter and Readers: the jobs of a batch; the jobs that may wait before more are
  // refused.
  std::size_t max_batch = 512;
  std::size_t max_queue = 10'000;
};

}  // namespace hail::simulation
