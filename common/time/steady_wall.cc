#include "common/time/steady_wall.h"

#include <algorithm>

namespace hail {

absl::Time SteadyWall::At(absl::Time wall, absl::Duration steady) {
  absl::MutexLock lock(&mutex_);
  if (!begun_) {
    begun_ = true;
    wall_ = wall;
    steady_ = steady;
    return wall_;
  }
  // Another thread that read the clocks later may have been here first.
  if (steady <= steady_) return wall_;
  const absl::Duration passed = steady - steady_;
  steady_ = steady;
  wall_ += passed;
  const absl::Duration off = wall - wall_;
  if (off != absl::ZeroDuration()) {
    const absl::Duration most = passed / kSlew;
    wall_ += std::clamp(off, -most, most);
  }
  return wall_;
}

}  // namespace hail
