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

// Wakes who waits when the time has come. Thread-safe; one thread of its own, which never ends.
class Alarms {
 public:
  using Alarm = std::multimap<Clock::time_point, absl::CondVar*>::iterator;

  Alarms() {
    std::thread thread([this] { Run(); });
    pthread_setname_np(thread.native_handle(), "grpc-waits");
    thread.detach();
  }

  // Until it is cleared.
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
  // Who has set an alarm may not have begun to wait when it goes off: it goes off again until it is cleared.
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
  // When the thread looks again. Mostly an alarm is cleared long before, and then for nothing: gRPC's threads wait ten
  // thousand times a second, and each for about as long.
  Clock::time_point wakes_ = Clock::time_point::max();
};

bool WaitFor(absl::CondVar* changed, absl::Mutex* mutex, absl::Duration length) {
  static auto* const alarms = new Alarms();
  // A year is as good as longer, and no sum overflows.
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

// Both return whether the time has come.
bool CondVar::WaitWithTimeout(Mutex* mu, Duration timeout) { return hail::rpc::WaitFor(this, mu, timeout); }

bool CondVar::WaitWithDeadline(Mutex* mu, Time deadline) { return hail::rpc::WaitFor(this, mu, deadline - Now()); }

ABSL_NAMESPACE_END
}  // namespace absl

#endif
