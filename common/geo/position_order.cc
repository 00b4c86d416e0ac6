#include "common/geo/position_order.h"

#include <algorithm>

namespace hail {

bool IsLater(const Observation& next, const Observation& known, absl::Duration jitter) {
  if (next.session_epoch < known.session_epoch) return false;
  const absl::Duration later_by = next.observed - known.observed;
  if (later_by > jitter) return true;
  if (later_by < -jitter) return false;
  if (next.session_epoch > known.session_epoch) return true;
  const bool counted = next.position_seq != 0 && known.position_seq != 0;
  if (counted && next.position_seq != known.position_seq) return next.position_seq > known.position_seq;
  if (next.point == known.point) return !counted && later_by > absl::ZeroDuration();
  // If the device gives neither ages nor numbers, the next fix of one message is the later one.
  return later_by >= absl::ZeroDuration();
}

absl::Time KeptInstant(absl::Time next, absl::Time known) { return std::max(next, known + absl::Nanoseconds(1)); }

}  // namespace hail
