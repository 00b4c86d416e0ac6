// Converts rides and events to and from bytes, for the store's blobs and for the bus. Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rider-service/domain/ride.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// A ride's encoded messages. The first is encoded once for all copies of the ride.
inline const std::string& RideBytes(const Ride& ride) { return ride.bytes(); }
inline std::string InternalsBytes(const Ride& ride) { return ride.internals().SerializeAsString(); }
// INTERNAL unless the two functions above made the bytes; REPLICA_TOO_OLD if a later version made them
// (validate_ride.h).
absl::StatusOr<Ride> RideFromBytes(std::string_view ride, std::string_view internals);
// Also accepts a ride of a later version, for callers that only need its sequence and epoch.
absl::StatusOr<Ride> RideInAnyState(std::string_view ride, std::string_view internals);

// RideEvent::former, from its RideBytes; an earlier version did not record that the assignment ended.
absl::StatusOr<Ride> FormerFromBytes(std::string_view ride);

// The contract's RideEvent, with the RideBytes of its ride. Internals have their own columns.
std::string EventBytes(const RideEvent& event);
absl::StatusOr<RideEvent> EventFromBytes(std::string_view event);

// Encodes an EventRecord with the same bytes.
class ProtoEventCodec final : public EventCodec {
 public:
  std::string Encode(const RideEvent& event) const override;
  // INTERNAL for a malformed payload; REPLICA_TOO_OLD for one of a later version (validate_ride.h).
  absl::StatusOr<RideEvent> Decode(const std::string& payload) const override;
};

}  // namespace hail::rider
