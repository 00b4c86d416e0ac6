// For how long a process that shares a store with others counts as alive there.
#pragma once

#include "absl/time/time.h"

namespace hail {

// From when the lease was renewed, by the store's clock.
inline constexpr absl::Duration kLeaseTime = absl::Seconds(5);
// The same for the holder, by its own clock: less by one part in SteadyWall::kSlew, by which that may be slow. Nobody
// may believe in a lease that others see end.
inline constexpr absl::Duration kOwnLease = absl::Milliseconds(4750);
// Wall time. So often that a restart of the database, or a slow moment, does not end it.
inline constexpr absl::Duration kRenewLeaseEvery = absl::Seconds(1);

}  // namespace hail
