// What the allocator keeps of what it was given back.
#pragma once

#include "absl/time/time.h"

namespace hail {

// glibc keeps freed memory for later, without a bound: after a burst (a fleet reconnecting, hostile clients) a process
// would stay as large as it was at its worst. Not thread-safe.
class HeapTrimmer {
 public:
  // To be called every few seconds. Gives memory back to the system where more than 32 MiB lie idle and the process has
  // been calm since the last call (a quarter of a core at most): it takes some milliseconds, in which allocations wait.
  // Does nothing with another C library.
  void Tick(absl::Time now);

 private:
  absl::Time at_ = absl::InfinitePast();
  // Processor time used until then.
  absl::Duration used_;
};

}  // namespace hail
