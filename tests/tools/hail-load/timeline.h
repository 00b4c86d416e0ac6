// The results of calls, second by second.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"
#include "tests/tools/hail-load/histogram.h"

namespace hail::load {

// The calls whose intended send time is in one second.
struct Tally {
  std::int64_t sent = 0;
  // Answered OK within the deadline, counted from the intended send time.
  std::int64_t in_time = 0;
  // Answered OK, but too late.
  std::int64_t late = 0;
  // RESOURCE_EXHAUSTED; of these, without a google.rpc.RetryInfo.
  std::int64_t refused = 0;
  std::int64_t refused_without_retry = 0;
  // All other errors, by code.
  std::map<std::string, std::int64_t> failed;
  // From the intended send time until the answer.
  Histogram answered;
  Histogram refusal;

  std::int64_t Failed() const;
  void Add(const Tally& other);
};

// Thread-safe.
class Timeline {
 public:
  // Counts seconds from `start`; an answer is late if it came later than `deadline` after the intended send time.
  Timeline(absl::Time start, absl::Duration deadline) : start_(start), deadline_(deadline) {}

  void Record(absl::Time intended, absl::Time done, const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Time start() const { return start_; }
  // By second.
  std::vector<Tally> Seconds() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The calls with an intended send time in [from, to), seconds after the start.
  Tally Sum(int from, int to) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const absl::Time start_;
  const absl::Duration deadline_;
  mutable absl::Mutex mutex_;
  std::vector<Tally> seconds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::load
