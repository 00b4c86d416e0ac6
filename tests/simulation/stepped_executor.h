// An executor for tests. The test runs its tasks one by one; the clock advances to the time of a delayed task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/time/fake_clock.h"

namespace hail {

// Not thread-safe.
class SteppedExecutor final : public Executor {
 public:
  // `clock` must outlive this object.
  explicit SteppedExecutor(FakeClock* clock) : clock_(clock) {}

  bool Post(std::function<void()> task) override { return PostAfter(absl::ZeroDuration(), std::move(task)); }
  bool PostAfter(absl::Duration wall, std::function<void()> task) override {
    tasks_.emplace(std::pair(clock_->Read().wall + wall, ++posted_), std::move(task));
    return true;
  }
  void Every(absl::Duration period, std::function<void()> task) override {
    PostAfter(period, [this, period, task = std::move(task)] {
      task();
      Every(period, task);
    });
  }
  std::size_t depth() const override { return tasks_.size(); }

  // Runs the next task. False: there was none.
  bool RunNext() {
    if (tasks_.empty()) return false;
    const auto first = tasks_.begin();
    const absl::Time due = first->first.first;
    const std::function<void()> task = std::move(first->second);
    tasks_.erase(first);
    if (const absl::Time now = clock_->Read().wall; due > now) clock_->Advance(due - now);
    task();
    return true;
  }

  // Runs tasks until none waits. Does not end after Every.
  void RunUntilQuiet() {
    while (RunNext()) {
    }
  }

 private:
  FakeClock* const clock_;
  std::uint64_t posted_ = 0;
  // By instant, and by the order of posting.
  std::map<std::pair<absl::Time, std::uint64_t>, std::function<void()>> tasks_;
};

}  // namespace hail
