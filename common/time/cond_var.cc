#include "common/time/cond_var.h"

#include <algorithm>
#include <chrono>

namespace hail {
namespace {

// Adapts absl::Mutex to std::condition_variable_any.
struct Lock {
  absl::Mutex* const mutex;
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) { mutex->Lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION(mutex) { mutex->Unlock(); }
};

}  // namespace

SteadyCondVar::Clock::time_point SteadyCondVar::After(absl::Duration length) {
  return Clock::now() + absl::ToChronoNanoseconds(std::clamp(length, absl::ZeroDuration(), absl::Hours(24 * 365)));
}

void SteadyCondVar::Wait(absl::Mutex* mutex) {
  Lock lock{mutex};
  changed_.wait(lock);
}

void SteadyCondVar::WaitFor(absl::Mutex* mutex, absl::Duration at_most) {
  Lock lock{mutex};
  changed_.wait_until(lock, After(at_most));
}

bool SteadyCondVar::Await(absl::Mutex* mutex, absl::Duration at_most, absl::FunctionRef<bool()> condition) {
  const Clock::time_point end = After(at_most);
  while (!condition()) {
    const Clock::time_point now = Clock::now();
    if (now >= end) return false;
    WaitFor(mutex, absl::FromChrono(end - now));
  }
  return true;
}

void SteadyNotification::Notify() {
  absl::MutexLock lock(&mutex_);
  notified_ = true;
  changed_.SignalAll();
}

bool SteadyNotification::WaitFor(absl::Duration at_most) {
  absl::MutexLock lock(&mutex_);
  return changed_.Await(&mutex_, at_most, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return notified_; });
}

}  // namespace hail
