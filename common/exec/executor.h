// Runs the tasks of cores, now or later: one at a time, in order. A Loop in the services; in the simulation, one
// simulated clock for all executors.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/time/time.h"

namespace hail {

// Thread-safe, unless an implementation says otherwise.
class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `task` after all posted before; never on the caller's stack. False, and the task is dropped, once stopped.
  // Never blocks.
  virtual bool Post(std::function<void()> task) = 0;

  // Runs `task` no sooner than after `wall`. It cannot be canceled: let the task check whether it is still wanted.
  virtual bool PostAfter(absl::Duration wall, std::function<void()> task) = 0;

  // Runs `task` each `period` until stopped.
  virtual void Every(absl::Duration period, std::function<void()> task) = 0;

  // How many tasks wait now.
  virtual std::size_t depth() const = 0;
};

}  // namespace hail
