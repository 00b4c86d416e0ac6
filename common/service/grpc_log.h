// What gRPC itself has to say, in our log.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail {

// Which of gRPC's lines are logged: whoever connects can make it say as many as they like. Thread-safe.
class GrpcLines {
 public:
  // At most `burst` at once, and `burst` in `within`.
  GrpcLines(int burst, absl::Duration within) : batcher_(burst), within_(within) {}

  // Logs the line as "grpc", or counts it and lets the next one say how many were left out. `now`: of a clock that
  // never jumps.
  void Take(const char* file, int line, std::string_view message, absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const int batcher_;
  const absl::Duration within_;
  absl::Mutex mutex_;
  int logged_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration since_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

// From now on gRPC's errors are lines of ours, and what is less than an error is nothing. Once, before gRPC is used.
void LogWhatGrpcSays();

}  // namespace hail
