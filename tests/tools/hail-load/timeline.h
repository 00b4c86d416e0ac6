// What became of calls, second by second.
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

// Calls that were to be sent in one second.
struct Tally {
  std::int64_t sent = 0;
  // Answered OK within the deadline, counted from when the call was to be sent.
  std::int64_t in_time = 0;
  // Answered OK, but too late.
  std::int64_t late = 0;
  // RESOURCE_EXHAUSTED; of these, without a google.rpc.RetryInfo.
  std::int64_t refused = 0;
  std::int64_t refused_without_retry = 0;
  // All else, by code.
  std::map<std::string, std::int64_t> failed;
  // From when the call was to be sent until it was answered.
  Histogram answered;
  Histogram refusal;

  std::int64_t Failed() const;
  void Add(const Tally& other);
};

// Thread-safe.
class Timeline {
 public:
  // Seconds are counted from `start`; a call answered later than `deadline` after it was to be sent is late.
  Timeline(absl::Time start, absl::Duration deadline) : start_(start), deadline_(deadline) {}

  void Record(absl::Time intended, absl::Time done, const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Time start() const { return start_; }
  // By second.
  std::vector<Tally> Seconds() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The calls that were to be sent in [from, to), seconds after the start.
  Tally Sum(int from, int to) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const absl::Time start_;
  const absl::Duration deadline_;
  mutable absl::Mutex mutex_;
  std::vector<Tally> seconds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::load
