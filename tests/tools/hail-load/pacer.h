// Sends at a fixed rate, independent of the answers: the load of independent users.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/time/time.h"
#include "tests/tools/hail-load/histogram.h"

namespace hail::load {

struct Paced {
  std::int64_t sent = 0;
  // The delay between the intended and the actual send time: the generator adds it to every latency.
  Histogram lag;
};

// Calls `send` with the intended send time, `rate` times a second, evenly spread over `length` from `start` on. Overdue
// calls are sent at once; none is left out. `send` must not block.
Paced SendPaced(absl::Time start, double rate, absl::Duration length, const std::function<void(absl::Time)>& send);

}  // namespace hail::load
