// Wall time that never jumps: what a process measures lengths by, and names instants with.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail {

// Thread-safe.
//
// It begins at the machine's wall clock and goes on with a clock that is never set. Where somebody sets the wall clock,
// it is led back to it slowly: the names of instants become right again, and no length is ever wrong by more than one
// part in kSlew. It never goes back.
class SteadyWall {
 public:
  static constexpr int kSlew = 20;

  // Both clocks of the machine, read together: `wall` as it is set, `steady` since whenever.
  absl::Time At(absl::Time wall, absl::Duration steady) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  // The latest reading, and what it came to.
  absl::Duration steady_ ABSL_GUARDED_BY(mutex_);
  absl::Time wall_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail
