#include "common/rpc/grpc_waits.h"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

#include "grpc/support/sync.h"
#include "grpc/support/time.h"

namespace hail::rpc {
namespace {

using Clock = std::chrono::steady_clock;

// Wakes who waits when the time has come. Thread-safe; one thread of its own, which never ends.
class Alarms {
 public:
  using Alarm = std::multimap<Clock::time_point, gpr_cv*>::iterator;

  Alarms() {
    std::thread thread([this] { Run(); });
    pthread_setname_np(thread.native_handle(), "grpc-waits");
    thread.detach();
  }

  // Until it is cleared.
  Alarm Set(Clock::time_point when, gpr_cv* who) {
    const std::lock_guard lock(mutex_);
    const Alarm alarm = alarms_.emplace(when, who);
    if (alarm == alarms_.begin()) changed_.notify_one();
    return alarm;
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
      for (Alarm due = alarms_.begin(); due != alarms_.end() && due->first <= now; ++due) gpr_cv_broadcast(due->second);
      if (alarms_.empty()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, std::max(alarms_.begin()->first, now + kAgain));
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, gpr_cv*> alarms_;
};

int Wait(gpr_cv* changed, gpr_mu* mutex, gpr_timespec until) {
  using Function = int (*)(gpr_cv*, gpr_mu*, gpr_timespec);
  static const auto wait = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "gpr_cv_wait"));
  const gpr_timespec forever = gpr_inf_future(until.clock_type);
  if (gpr_time_cmp(until, forever) == 0) return wait(changed, mutex, forever);
  static auto* const alarms = new Alarms();
  const gpr_timespec left = gpr_time_sub(until, gpr_now(until.clock_type));
  // A year is as good as longer, and no sum overflows.
  const std::int64_t seconds = std::clamp<std::int64_t>(left.tv_sec, 0, 365 * 24 * 3600);
  const Clock::time_point end =
      Clock::now() + std::chrono::seconds(seconds) + std::chrono::nanoseconds(left.tv_sec < 0 ? 0 : left.tv_nsec);
  const Alarms::Alarm alarm = alarms->Set(end, changed);
  wait(changed, mutex, forever);
  alarms->Clear(alarm);
  return Clock::now() >= end ? 1 : 0;
}

}  // namespace

void WaitOnSteadyClock() {}

}  // namespace hail::rpc

// Returns 1 when the time has come; 0 when woken, perhaps for nothing.
extern "C" int gpr_cv_wait(gpr_cv* cv, gpr_mu* mu, gpr_timespec abs_deadline) {
  return hail::rpc::Wait(cv, mu, abs_deadline);
}
