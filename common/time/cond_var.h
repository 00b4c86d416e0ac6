// Waits that end on time. abseil's time-outs (Mutex::AwaitWithTimeout, CondVar::WaitWithTimeout, Notification) use the
// machine's wall clock, even if given as a length: after that clock is set back by an hour, a wait of one second lasts
// an hour. These waits use a clock that is never set.
#pragma once

#include <chrono>
#include <condition_variable>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail {

// Like absl::CondVar. Thread-safe.
class SteadyCondVar {
 public:
  // Both may return early; check the condition again.
  void Wait(absl::Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void WaitFor(absl::Mutex* mutex, absl::Duration at_most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Waits until `condition()` holds or `at_most` has passed; returns whether it holds.
  bool Await(absl::Mutex* mutex, absl::Duration at_most, absl::FunctionRef<bool()> condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  void Signal() { changed_.notify_one(); }
  void SignalAll() { changed_.notify_all(); }

 private:
  using Clock = std::chrono::steady_clock;
  // The time `length` from now, limited so that no sum overflows.
  static Clock::time_point After(absl::Duration length);

  std::condition_variable_any changed_;
};

// Like absl::Notification. Thread-safe.
class SteadyNotification {
 public:
  // Must be called at most once.
  void Notify() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns whether Notify was called.
  bool WaitFor(absl::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyCondVar changed_;
};

}  // namespace hail
