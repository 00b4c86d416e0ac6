#include "common/exec/loop.h"

#include <pthread.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <queue>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/time/cond_var.h"

namespace hail {
namespace {

// A change of the machine's wall clock must not delay timers.
using Monotonic = std::chrono::steady_clock;

struct Timer {
  Monotonic::time_point due;
  // Timers due at the same time run in the order in which they were set.
  std::uint64_t number;
  std::function<void()> task;
};

struct Later {
  bool operator()(const Timer& a, const Timer& b) const { return a.due != b.due ? a.due > b.due : a.number > b.number; }
};

}  // namespace

struct Loop::State {
  mutable absl::Mutex mutex;
  SteadyCondVar changed;
  std::deque<std::function<void()>> tasks ABSL_GUARDED_BY(mutex);
  std::priority_queue<Timer, std::vector<Timer>, Later> timers ABSL_GUARDED_BY(mutex);
  std::uint64_t timers_set ABSL_GUARDED_BY(mutex) = 0;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::once_flag joined;
  std::thread thread;
  std::thread::id thread_id;

  void Run();
  void TakeDueTimers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  bool SetTimer(Monotonic::time_point due, std::function<void()> task);
  void Repeat(Monotonic::time_point due, Monotonic::duration period, std::shared_ptr<std::function<void()>> task);
};

void Loop::State::TakeDueTimers() {
  const Monotonic::time_point now = Monotonic::now();
  while (!timers.empty() && timers.top().due <= now) {
    // top() is const to protect the order of the queue; a move of the task does not change that order.
    tasks.push_back(std::move(const_cast<Timer&>(timers.top()).task));
    timers.pop();
  }
}

void Loop::State::Run() {
  while (true) {
    std::function<void()> task;
    {
      absl::MutexLock lock(&mutex);
      TakeDueTimers();
      while (tasks.empty()) {
        if (stopping) return;
        if (timers.empty()) {
          changed.Wait(&mutex);
        } else {
          changed.WaitFor(&mutex, absl::FromChrono(timers.top().due - Monotonic::now()));
        }
        TakeDueTimers();
      }
      task = std::move(tasks.front());
      tasks.pop_front();
    }
    task();
  }
}

bool Loop::State::SetTimer(Monotonic::time_point due, std::function<void()> task) {
  absl::MutexLock lock(&mutex);
  if (stopping) return false;
  timers.push({due, timers_set++, std::move(task)});
  changed.Signal();
  return true;
}

void Loop::State::Repeat(Monotonic::time_point due, Monotonic::duration period,
                         std::shared_ptr<std::function<void()>> task) {
  SetTimer(due, [this, due, period, task = std::move(task)] {
    (*task)();
    // Periods missed while the loop was busy are skipped, not repeated.
    Monotonic::time_point next = due + period;
    const Monotonic::time_point now = Monotonic::now();
    if (next < now) next += (now - next) / period * period + period;
    Repeat(next, period, task);
  });
}

Loop::Loop(std::string name) : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
  state_->thread_id = state_->thread.get_id();
  pthread_setname_np(state_->thread.native_handle(), name.substr(0, 15).c_str());
}

Loop::~Loop() { Stop(); }

bool Loop::Post(std::function<void()> task) {
  absl::MutexLock lock(&state_->mutex);
  if (state_->stopping) return false;
  state_->tasks.push_back(std::move(task));
  state_->changed.Signal();
  return true;
}

bool Loop::PostAfter(absl::Duration wall, std::function<void()> task) {
  return state_->SetTimer(Monotonic::now() + absl::ToChronoNanoseconds(wall), std::move(task));
}

void Loop::Every(absl::Duration period, std::function<void()> task) {
  const Monotonic::duration beat = absl::ToChronoNanoseconds(period);
  state_->Repeat(Monotonic::now() + beat, beat, std::make_shared<std::function<void()>>(std::move(task)));
}

std::size_t Loop::depth() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->tasks.size();
}

bool Loop::OnLoop() const { return std::this_thread::get_id() == state_->thread_id; }

void Loop::Stop() {
  {
    absl::MutexLock lock(&state_->mutex);
    state_->stopping = true;
    state_->changed.Signal();
  }
  // A second caller waits here until the first has joined.
  std::call_once(state_->joined, [this] { state_->thread.join(); });
}

}  // namespace hail
