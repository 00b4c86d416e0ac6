// Which writes a store takes on under load.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hail {

struct WriteAdmission {
  // Writes waiting beyond this are refused.
  std::size_t max_queue = 10'000;
  // So are writes that would wait longer than this, or than half of what their deadline allows, as far as can be
  // estimated (wall time). What begins something new is refused first.
  absl::Duration max_wait = absl::Seconds(3);
  absl::Duration max_wait_of_new = absl::Seconds(1);

  // OK or OVERLOADED for one more write behind `queued` others. It would wait for `wait`, with `left` until its
  // deadline.
  absl::Status Admit(bool begins_new, std::size_t queued, absl::Duration wait, absl::Duration left) const;
};

}  // namespace hail
