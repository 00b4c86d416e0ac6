// The one thread of a run: what gRPC's threads post, and timers.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "absl/time/time.h"
#include "tests/tools/hail-sim/phone_context.h"

namespace hail::sim {

class Loop {
 public:
  // Sets the context's `at`.
  explicit Loop(PhoneContext* context);

  // Runs `task` at `wall` or soon after.
  void At(absl::Time wall, std::function<void()> task);
  // Handles what was posted, and the timers that are due; waits for either until `wake` (wall) at most.
  void Turn(absl::Time wake);

 private:
  struct Timer {
    absl::Time wall;
    // Timers of one instant fire in the order they were set.
    std::uint64_t order;
    std::function<void()> task;
    bool operator<(const Timer& other) const { return wall != other.wall ? wall > other.wall : order > other.order; }
  };

  PhoneContext* const context_;
  std::priority_queue<Timer> timers_;
  std::uint64_t next_order_ = 0;
};

}  // namespace hail::sim
