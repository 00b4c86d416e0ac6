#include "common/rpc/steady_waits.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "absl/base/config.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace hail::rpc {

void WaitOnSteadyClock() {}

}  // namespace hail::rpc

#if ABSL_LTS_RELEASE_VERSION < 20230802

namespace hail::rpc {
namespace {

using Clock = std::chrono::steady_clock;

// Wakes waiting threads at given times. Thread-safe; has one thread, which never ends.
class Alarms {
 public:
  using Alarm = std::multimap<Clock::time_point, absl::CondVar*>::iterator;

  Alarms() {
    std::thread thread([this] { Run(); });
    pthread_setname_np(thread.native_handle(), "grpc-waits");
    thread.detach();
  }

  // Wakes `who` from `when` on, until the alarm is cleared.
  Alarm Set(Clock::time_point when, absl::CondVar* who) {
    const std::lock_guard lock(mutex_);
    if (when < wakes_) {
      wakes_ = when;
      changed_.notify_one();
    }
    return alarms_.emplace(when, who);
  }
  void Clear(Alarm alarm) {
    const std::lock_guard lock(mutex_);
    alarms_.erase(alarm);
  }

 private:
  // The owner of an alarm may not be waiting yet when it fires, so it fires again until it is cleared.
  static constexpr std::chrono::milliseconds kAgain{1};

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      const Clock::time_point now = Clock::now();
      for (Alarm due = alarms_.begin(); due != alarms_.end() && due->first <= now; ++due) due->second->SignalAll();
      if (alarms_.empty()) {
        wakes_ = Clock::time_point::max();
        changed_.wait(lock);
      } else {
        wakes_ = std::max(alarms_.begin()->first, now + kAgain);
        changed_.wait_until(lock, wakes_);
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, absl::CondVar*> alarms_;
  // The next time at which the thread wakes. Usually an alarm is cleared long before, and the thread then wakes for
  // nothing: gRPC's threads wait ten thousand times a second, each for a similar time.
  Clock::time_point wakes_ = Clock::time_point::max();
};

bool WaitFor(absl::CondVar* changed, absl::Mutex* mutex, absl::Duration length) {
  static auto* const alarms = new Alarms();
  // Waits are cut to one year, so that the sum does not overflow.
  const Clock::time_point end =
      Clock::now() + absl::ToChronoNanoseconds(std::clamp(length, absl::ZeroDuration(), absl::Hours(24 * 365)));
  const Alarms::Alarm alarm = alarms->Set(end, changed);
  changed->Wait(mutex);
  alarms->Clear(alarm);
  return Clock::now() >= end;
}

}  // namespace

}  // namespace hail::rpc

namespace absl {
ABSL_NAMESPACE_BEGIN

// Both return whether the time-out has passed.
bool CondVar::WaitWithTimeout(Mutex* mu, Duration timeout) { return hail::rpc::WaitFor(this, mu, timeout); }

bool CondVar::WaitWithDeadline(Mutex* mu, Time deadline) { return hail::rpc::WaitFor(this, mu, deadline - Now()); }

ABSL_NAMESPACE_END
}  // namespace absl

#endif
