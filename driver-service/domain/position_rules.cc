#include "driver-service/domain/position_rules.h"

#include <algorithm>
#include <cmath>

#include "common/errors/error.h"

namespace hail::driver {

absl::Status CheckFix(const Fix& fix, absl::Duration age, const std::string& field) {
  if (absl::Status status = CheckLatLng(fix.point, field + ".location"); !status.ok()) return status;
  // Written so that NaN fails each of them.
  if (fix.speed_mps.has_value() && !(*fix.speed_mps >= 0 && *fix.speed_mps <= kMaxSpeedMps)) {
    return InvalidField(field + ".speed_mps", "must be from 0 to 90");
  }
  if (fix.heading_deg.has_value() && !(*fix.heading_deg >= 0 && *fix.heading_deg < 360)) {
    return InvalidField(field + ".heading_deg", "must be from 0 to below 360");
  }
  if (fix.accuracy_m.has_value() && !(*fix.accuracy_m >= 0 && std::isfinite(*fix.accuracy_m))) {
    return InvalidField(field + ".accuracy_m", "must be finite and not negative");
  }
  if (age < absl::ZeroDuration()) return InvalidField(field + ".age", "must not be negative");
  if (age > kMaxFixAge) return InvalidField(field + ".age", "must be at most 24 hours");
  return absl::OkStatus();
}

absl::Status CheckJump(const Fix& earlier, const Fix& later, absl::Duration jitter, const std::string& field) {
  if (earlier.session_epoch != later.session_epoch) return absl::OkStatus();
  const double distance_m = DistanceM(earlier.point, later.point);
  if (distance_m <= kSamePlaceM) return absl::OkStatus();
  const absl::Duration between = std::max(later.observed - earlier.observed, absl::ZeroDuration()) + jitter;
  if (distance_m <= kMaxSpeedMps * absl::ToDoubleSeconds(between)) return absl::OkStatus();
  return InvalidField(field + ".location", "too far from the last position for the time between them");
}

}  // namespace hail::driver
