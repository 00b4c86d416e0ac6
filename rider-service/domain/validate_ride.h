// Rides that come from outside the rules: out of a store's bytes, or over the bus.
#pragma once

#include "absl/status/status.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// OK if the ride has what every ride has that the rules in ride.h made: a state, numbers from 1 on that can be counted
// up, a deadline while MATCHING, driver and time of the assignment while somebody drives. Rules and cores take only
// such. REPLICA_TOO_OLD (UNAVAILABLE) for a state of a later version, which other replicas know; else INTERNAL.
absl::Status ValidateRide(const Ride& ride);

}  // namespace hail::rider
