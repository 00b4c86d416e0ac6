// One thread that runs posted tasks, in order, and timers. Cores that decide about several rides or drivers run on such
// a loop: they need no locks, and see events in one order.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/exec/executor.h"

namespace hail {

// Thread-safe. Stop() (or the destructor) runs the tasks posted before it, drops timers that are not due, and joins.
class Loop final : public Executor {
 public:
  // `name` is the thread's name (at most 15 bytes).
  explicit Loop(std::string name);
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  bool Post(std::function<void()> task) override;
  bool PostAfter(absl::Duration wall, std::function<void()> task) override;
  void Every(absl::Duration period, std::function<void()> task) override;
  std::size_t depth() const override;

  // Whether the caller is on the loop's thread.
  bool OnLoop() const;

  // Idempotent. Must not be called on the loop's own thread.
  void Stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hail
