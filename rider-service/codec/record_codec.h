// How rides and events are kept and published: bytes for the store's blobs and for the bus. Pure functions,
// thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rider-service/domain/ride.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// A ride's messages, encoded. The first is made once for all copies of the ride.
inline const std::string& RideBytes(const Ride& ride) { return ride.bytes(); }
inline std::string InternalsBytes(const Ride& ride) { return ride.internals().SerializeAsString(); }
// INTERNAL if they are not what the two above made, REPLICA_TOO_OLD if a later version made them (validate_ride.h).
absl::StatusOr<Ride> RideFromBytes(std::string_view ride, std::string_view internals);
// A ride of a later version too, for those who ask no more than which version of the ride it is.
absl::StatusOr<Ride> RideInAnyState(std::string_view ride, std::string_view internals);

// RideEvent::former, from RideBytes of it; an earlier version's do not say that the assignment ended.
absl::StatusOr<Ride> FormerFromBytes(std::string_view ride);

// The contract's RideEvent, with the RideBytes of its ride. Internals are columns of their own.
std::string EventBytes(const RideEvent& event);
absl::StatusOr<RideEvent> EventFromBytes(std::string_view event);

// An EventRecord, of the same bytes.
class ProtoEventCodec final : public EventCodec {
 public:
  std::string Encode(const RideEvent& event) const override;
  // INTERNAL for a payload that is not one; REPLICA_TOO_OLD for one of a later version (validate_ride.h).
  absl::StatusOr<RideEvent> Decode(const std::string& payload) const override;
};

}  // namespace hail::rider
