#include "common/time/clock.h"

#include "absl/time/clock.h"

namespace hail {

absl::Time TimeScale::ToDomain(absl::Time wall) const { return anchor_domain + (wall - anchor_wall) * scale; }

absl::Time TimeScale::ToWall(absl::Time domain) const { return anchor_wall + (domain - anchor_domain) / scale; }

absl::Duration TimeScale::ToWall(absl::Duration domain) const { return domain / scale; }

absl::Duration TimeScale::ToDomain(absl::Duration wall) const { return wall * scale; }

Now SystemClock::Read() const {
  const absl::Time wall = absl::Now();
  return {scale_.ToDomain(wall), wall};
}

}  // namespace hail
