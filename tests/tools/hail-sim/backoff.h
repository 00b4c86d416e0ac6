// Waits between tries: doubling from 100 ms to 2 s of wall time, with jitter so that a fleet does not come back at
// once.
#pragma once

#include <algorithm>

#include "absl/time/time.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::sim {

class Backoff {
 public:
  absl::Duration Next(Random& random) {
    const absl::Duration wait = next_;
    next_ = std::min(next_ * 2, absl::Seconds(2));
    return wait * random.Between(0.5, 1.0);
  }
  void Reset() { next_ = absl::Milliseconds(100); }

 private:
  absl::Duration next_ = absl::Milliseconds(100);
};

}  // namespace hail::sim
