// Work in the background that has no end, in small batches with pauses between them, so that it delays nobody.
#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/exec/executor.h"

namespace hail {

// Wall time.
struct BatchTimes {
  // Before each round.
  absl::Duration round_every = absl::Seconds(10);
  // Between two batches of one round.
  absl::Duration pause = absl::Milliseconds(100);
};

// Runs `batch` on `executor` for ever, until it stops. `batch` gets whether it is the first of its round, and calls its
// argument once, on any thread, when it has finished: true if more is left for this round.
void RunBatches(Executor* executor, const BatchTimes& times,
                std::function<void(bool first, std::function<void(bool more)> finished)> batch);

}  // namespace hail
