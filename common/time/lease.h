// How long a process counts as alive in a store that it shares.
#pragma once

#include "absl/time/time.h"

namespace hail {

// From the renewal, by the store's clock.
inline constexpr absl::Duration kLeaseTime = absl::Seconds(5);
// The lease as the holder itself measures it: shorter, because the holder's clock may be slow by one part in
// SteadyWall::kSlew. A holder must not believe in a lease that has ended for others.
inline constexpr absl::Duration kOwnLease = absl::Milliseconds(4750);
// Wall time. Short enough that a restart of the database, or a delay, does not end the lease.
inline constexpr absl::Duration kRenewLeaseEvery = absl::Seconds(1);

}  // namespace hail
