// RideEvents on the bus, internals included.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

class ProtoEventCodec final : public EventCodec {
 public:
  std::string Encode(const RideEvent& event) const override;
  // INTERNAL for a payload that is not one; REPLICA_TOO_OLD for one of a later version (whole_ride.h).
  absl::StatusOr<RideEvent> Decode(const std::string& payload) const override;
};

}  // namespace hail::rider
