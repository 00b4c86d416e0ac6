// For how long a process that shares a store with others counts as alive there.
#pragma once

#include "absl/time/time.h"
#include "common/time/steady_wall.h"

namespace hail {

// From when the lease was renewed, by the store's clock.
inline constexpr absl::Duration kLeaseTime = absl::Seconds(5);
// The same for the holder, by its own clock: that may be slow by one part in SteadyWall::kSlew, and nobody may believe
// in a lease that others see end.
inline constexpr absl::Duration kOwnLease = kLeaseTime - kLeaseTime / SteadyWall::kSlew;
// Wall time. So often that a restart of the database, or a slow moment, does not end it.
inline constexpr absl::Duration kRenewLeaseEvery = absl::Seconds(1);

}  // namespace hail
