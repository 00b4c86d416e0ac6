// Sends at a fixed rate, whatever comes back: the load of people who do not know of each other.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/time/time.h"
#include "tests/tools/hail-load/histogram.h"

namespace hail::load {

struct Paced {
  std::int64_t sent = 0;
  // By how much calls were sent later than they should have been: what the generator adds to every latency.
  Histogram lag;
};

// Calls `send` with the instant at which the call was to be sent, `rate` times a second, evenly spread over `length`
// from `start` on. What it is behind with, it sends at once: nothing is left out. `send` must not block.
Paced SendPaced(absl::Time start, double rate, absl::Duration length, const std::function<void(absl::Time)>& send);

}  // namespace hail::load
