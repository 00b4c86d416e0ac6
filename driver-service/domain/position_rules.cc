#include "driver-service/domain/position_rules.h"

#include <algorithm>
#include <cmath>

#include "common/errors/error.h"

namespace hail::driver {
namespace {

bool IsMuchCoarser(const Fix& known, const Fix& fix) {
  if (!fix.accuracy_m.has_value()) return false;
  const absl::Duration between = std::max(fix.observed - known.observed, absl::ZeroDuration());
  if (between > kRecentFix) return false;
  const double known_accuracy_m = known.accuracy_m.value_or(kSamePlaceM);
  return *fix.accuracy_m - known_accuracy_m > kCoarserByM + kUsualSpeedMps * absl::ToDoubleSeconds(between);
}

}  // namespace

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

bool FixJudge::Follow(const Fix& known, Fix& fix) const {
  if (!IsLater(fix.observation(), known.observation(), jitter_)) return false;
  fix.observed = KeptInstant(fix.observed, known.observed);
  return true;
}

FixVerdict FixJudge::Judge(const Fix& known, Held& held, Fix& fix) const {
  if (!IsLater(fix.observation(), known.observation(), jitter_)) return FixVerdict::kOlder;
  if (IsMuchCoarser(known, fix)) return FixVerdict::kInaccurate;
  FixVerdict taken = FixVerdict::kTaken;
  if (!Reaches(known, fix)) {
    if (held.count > 0 && !IsLater(fix.observation(), held.latest.observation(), jitter_)) return FixVerdict::kOlder;
    if (held.count > 0 && Reaches(held.latest, fix)) {
      fix.observed = KeptInstant(fix.observed, held.latest.observed);
      ++held.count;
    } else {
      held.count = 1;
    }
    held.latest = fix;
    if (held.count < kFixesBelieved) return FixVerdict::kTooFar;
    taken = FixVerdict::kTakenInstead;
  }
  held = {};
  fix.observed = KeptInstant(fix.observed, known.observed);
  return taken;
}

bool FixJudge::Reaches(const Fix& from, const Fix& to) const {
  if (from.session_epoch != to.session_epoch) return true;
  const double distance_m = DistanceM(from.point, to.point) - from.accuracy_m.value_or(0) - to.accuracy_m.value_or(0);
  if (distance_m <= kSamePlaceM) return true;
  const absl::Duration between = std::max(to.observed - from.observed, absl::ZeroDuration()) + jitter_;
  return distance_m <= kMaxSpeedMps * absl::ToDoubleSeconds(between);
}

}  // namespace hail::driver
