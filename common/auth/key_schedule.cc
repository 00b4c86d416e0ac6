#include "common/auth/key_schedule.h"

#include <algorithm>

namespace hail::auth {

void KeySchedule::OnRead(absl::Time now, std::optional<absl::Duration> good_for, double random) {
  const absl::Duration period =
      good_for ? std::clamp(*good_for, options_.min_period, options_.max_period) : options_.period;
  last_read_ = now;
  next_read_ = now + period * (1 - 0.1 * random);
  retry_ = absl::ZeroDuration();
  unknown_under_way_ = false;
}

void KeySchedule::OnFailed(absl::Time now) {
  retry_ = retry_ == absl::ZeroDuration() ? options_.first_retry : std::min(2 * retry_, options_.max_retry);
  next_read_ = now + retry_;
  unknown_under_way_ = false;
}

bool KeySchedule::OnUnknownKey(absl::Time now) {
  if (unknown_under_way_) return true;
  if (now - last_unknown_ < options_.unknown_key_gap) return false;
  last_unknown_ = now;
  next_read_ = std::min(next_read_, now);
  unknown_under_way_ = true;
  return true;
}

}  // namespace hail::auth
