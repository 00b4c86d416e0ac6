// Runs the tasks of cores, now or later: one at a time, in order. The services use a Loop; the simulation runs all
// executors on one simulated clock.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/time/time.h"

namespace hail {

// Thread-safe, unless an implementation is marked otherwise.
class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `task` after all earlier ones; never on the caller's stack. After the stop, returns false and drops the task.
  // Never blocks.
  virtual bool Post(std::function<void()> task) = 0;

  // Runs `task` no sooner than after `wall`. It cannot be cancelled: the task must check whether it is still wanted.
  virtual bool PostAfter(absl::Duration wall, std::function<void()> task) = 0;

  // Runs `task` every `period` until stopped.
  virtual void Every(absl::Duration period, std::function<void()> task) = 0;

  // The number of waiting tasks.
  virtual std::size_t depth() const = 0;
};

}  // namespace hail
