// An executor for tests that runs when told, one task after the other, and moves a clock along with what was posted for
// later.
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

// For one thread.
class SteppedExecutor final : public Executor {
 public:
  // `clock` must outlive this.
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

  // Runs what is due first. False: there is nothing.
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

  // Until nothing waits. Never, after Every.
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
