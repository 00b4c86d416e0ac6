// Waits that end on time. A time-out of abseil's (Mutex::AwaitWithTimeout, CondVar::WaitWithTimeout, Notification) is
// an instant of the machine's wall clock, also where it is given as a length: set that clock back by an hour, and who
// waits for a second waits for an hour. These waits are on a clock that is never set.
#pragma once

#include <chrono>
#include <condition_variable>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail {

// As absl::CondVar. Thread-safe.
class SteadyCondVar {
 public:
  // Both may return early; ask again what was waited for.
  void Wait(absl::Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void WaitFor(absl::Mutex* mutex, absl::Duration at_most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Waits until `condition()` holds or `at_most` has passed; returns whether it holds.
  bool Await(absl::Mutex* mutex, absl::Duration at_most, absl::FunctionRef<bool()> condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  void Signal() { changed_.notify_one(); }
  void SignalAll() { changed_.notify_all(); }

 private:
  using Clock = std::chrono::steady_clock;
  // That far ahead at most, that no sum of instants overflows.
  static Clock::time_point After(absl::Duration length);

  std::condition_variable_any changed_;
};

// As absl::Notification. Thread-safe.
class SteadyNotification {
 public:
  // Once.
  void Notify() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns whether it was notified.
  bool WaitFor(absl::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyCondVar changed_;
};

}  // namespace hail
