// What a simulated store does to those who use it. All zero, as by default: it answers at once and never fails.
#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace hail::simulation {

// Lengths are wall time. Where a mean and a maximum are given, each length is drawn anew: exponential, cut off.
struct StoreFaults {
  // From the beginning of a batch, when deadlines are looked at, to the instant at which all of it is on disk.
  absl::Duration commit_mean;
  absl::Duration commit_max;
  // From there until those who wait for it are told.
  absl::Duration ack_mean;
  absl::Duration ack_max;
  // From asking to the instant that is read, and the same again until the answer.
  absl::Duration read_mean;
  absl::Duration read_max;

  // A batch, or a read, that takes up to `slow` longer, before its instant or after it.
  double slow_commit = 0;
  double slow_read = 0;
  absl::Duration slow = absl::Seconds(5);

  // A whole batch, or a read, that hears STORE_UNAVAILABLE. A batch has then happened entirely, or not at all.
  double fail_written = 0;
  double fail_unwritten = 0;
  double fail_read = 0;

  // As of common/sqlite's GroupCommitter and Readers: jobs of a batch; jobs waiting before more are refused.
  std::size_t max_batch = 512;
  std::size_t max_queue = 10'000;
};

}  // namespace hail::simulation
