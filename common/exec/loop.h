// One thread that runs what is posted to it, in order, and timers. The cores that decide about more than one ride or
// driver live on such a loop: no locks inside, one order of things.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace hail {

// Thread-safe. Stop() (or the destructor) runs what was posted before it, drops timers that are not due, and joins.
class Loop {
 public:
  // `name` shows up as the thread's name (at most 15 bytes).
  explicit Loop(std::string name);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs `task` on the loop, after all posted before. False, and the task is dropped, once stopped. Never blocks.
  bool Post(std::function<void()> task);

  // Runs `task` no sooner than after `wall`. Cannot be taken back: let the task check whether it is still wanted.
  bool PostAfter(absl::Duration wall, std::function<void()> task);

  // Runs `task` each `period` until the loop stops.
  void Every(absl::Duration period, std::function<void()> task);

  // How many tasks wait now.
  std::size_t depth() const;

  // Whether the caller is on the loop's thread.
  bool OnLoop() const;

  // Idempotent; not from the loop's own thread.
  void Stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hail
