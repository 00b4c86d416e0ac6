#include "common/time/clock.h"

#include <time.h>

#include "absl/time/clock.h"
#include "common/time/steady_wall.h"

namespace hail {
namespace {

// A clock that is never set and continues while the machine sleeps: deadlines that pass during sleep have passed.
absl::Duration SinceBoot() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

absl::Time WallNow() {
  static auto* const wall = new SteadyWall();
  return wall->At(absl::Now(), SinceBoot());
}

absl::Time TimeScale::ToDomain(absl::Time wall) const { return anchor_domain + (wall - anchor_wall) * scale; }

absl::Time TimeScale::ToWall(absl::Time domain) const { return anchor_wall + (domain - anchor_domain) / scale; }

absl::Duration TimeScale::ToWall(absl::Duration domain) const { return domain / scale; }

absl::Duration TimeScale::ToDomain(absl::Duration wall) const { return wall * scale; }

Now SystemClock::Read() const {
  const absl::Time wall = WallNow();
  return {scale_.ToDomain(wall), wall};
}

}  // namespace hail
