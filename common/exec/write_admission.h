// Decides which writes a store accepts under load.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hail {

struct WriteAdmission {
  // Writes beyond this number of waiting ones are refused.
  std::size_t max_queue = 10'000;
  // Also refused: writes whose estimated wait is longer than this, or than half of the time until their deadline (wall
  // time). Writes that begin something new are refused first.
  absl::Duration max_wait = absl::Seconds(3);
  absl::Duration max_wait_of_new = absl::Seconds(1);

  // OK or OVERLOADED for one more write behind `queued` others. `wait` is its estimated wait, `left` the time until its
  // deadline.
  absl::Status Admit(bool begins_new, std::size_t queued, absl::Duration wait, absl::Duration left) const;
};

}  // namespace hail
