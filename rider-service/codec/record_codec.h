// How rides and events are kept: bytes for the store's blobs. Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// The contract's Ride (what of it is not internal), and the rest.
std::string RideBytes(const Ride& ride);
std::string InternalsBytes(const Ride& ride);
// INTERNAL if they are not what the two above made, REPLICA_TOO_OLD if a later version made them (whole_ride.h).
absl::StatusOr<Ride> RideFromBytes(std::string_view ride, std::string_view internals);
// A ride of a later version too, for those who ask no more than which version of the ride it is.
absl::StatusOr<Ride> RideInAnyState(std::string_view ride, std::string_view internals);

// RideEvent::former, from RideBytes of it; an earlier version's do not say that the assignment ended.
absl::StatusOr<Ride> FormerFromBytes(std::string_view ride);

// The contract's RideEvent. Internals are columns of their own.
std::string EventBytes(const RideEvent& event);
absl::StatusOr<RideEvent> EventFromBytes(std::string_view event);

}  // namespace hail::rider
