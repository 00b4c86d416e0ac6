#include "tests/tools/hail-sim/loop.h"

#include <algorithm>
#include <utility>

namespace hail::sim {

Loop::Loop(PhoneContext* context) : context_(context) {
  context->at = [this](absl::Time wall, std::function<void()> task) { At(wall, std::move(task)); };
}

void Loop::At(absl::Time wall, std::function<void()> task) { timers_.push({wall, next_order_++, std::move(task)}); }

void Loop::Turn(absl::Time wake) {
  if (!timers_.empty()) wake = std::min(wake, timers_.top().wall);
  for (const std::function<void()>& task : context_->inbox.Take(wake)) task();
  const absl::Time now = context_->clock.Read().wall;
  // Only timers that are due now: timers set meanwhile must not starve the inbox.
  while (!timers_.empty() && timers_.top().wall <= now) {
    context_->report.simulator_lag_ms.Add(absl::ToDoubleMilliseconds(now - timers_.top().wall));
    const std::function<void()> task = timers_.top().task;
    timers_.pop();
    task();
  }
}

}  // namespace hail::sim
