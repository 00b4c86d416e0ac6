// Validates rides from a store's bytes or the bus.
#pragma once

#include "absl/status/status.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// OK if the ride has all fields that the rules in ride.h always set: a state, numbers from 1 on that can still be
// incremented, a deadline while MATCHING, driver and assignment time while assigned. Rules and cores accept only such
// rides. REPLICA_TOO_OLD (UNAVAILABLE) for a state of a later version, which other replicas know; otherwise INTERNAL.
absl::Status ValidateRide(const Ride& ride);

}  // namespace hail::rider
