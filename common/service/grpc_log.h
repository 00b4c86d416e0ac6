// Writes gRPC's own log lines to our log.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail {

// Limits gRPC's log lines, because any client can trigger as many as it likes. Thread-safe.
class GrpcLines {
 public:
  // Allows `burst` lines per period of `within`, possibly all at once.
  GrpcLines(int burst, absl::Duration within) : batcher_(burst), within_(within) {}

  // Logs the line as "grpc"; or counts it, and the next logged line reports the number of omitted ones. `now`: of a
  // steady clock.
  void Take(const char* file, int line, std::string_view message, absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const int batcher_;
  const absl::Duration within_;
  absl::Mutex mutex_;
  int logged_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration since_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

// From now on gRPC's errors go to our log, and its less severe lines are dropped. Call it once, before gRPC is used.
void LogWhatGrpcSays();

}  // namespace hail
