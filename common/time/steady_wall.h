// Wall time that never jumps; a process uses it to measure lengths and to name instants.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail {

// Thread-safe.
//
// It starts at the machine's wall clock and continues with a clock that is never set. After the wall clock is set, it
// approaches that clock slowly: instants become right again, and no length is wrong by more than one part in kSlew. It
// never goes back.
class SteadyWall {
 public:
  static constexpr int kSlew = 20;

  // Both clocks of the machine, read together: the wall clock, and the time of the steady clock since any fixed moment.
  absl::Time At(absl::Time wall, absl::Duration steady) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  // The latest reading, and its result.
  absl::Duration steady_ ABSL_GUARDED_BY(mutex_);
  absl::Time wall_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail
