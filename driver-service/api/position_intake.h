// Handles the positions from drivers' devices: judges them, stores those that are taken, passes them on to the riders.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "driver-service/api/presence_gossip.h"
#include "driver-service/api/trip_positions.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/position_rules.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

// Thread-safe; cheap enough for gRPC's threads.
class PositionIntake {
 public:
  // All must outlive this. `presences` is null if no other replica needs them.
  PositionIntake(const Clock& clock, LocationIndex& index, TripPositions& trips, PresenceGossip* presences = nullptr)
      : clock_(clock), index_(index), trips_(trips), presences_(presences) {}

  // Judges each of `request.positions` as a fix of session `session_epoch`. INVALID_FIELD, naming a part of the first
  // one, if all of them are impossible by themselves.
  absl::StatusOr<PositionTally> Take(const std::string& driver_id, std::int64_t session_epoch,
                                     const v1::UpdateLocationRequest& request);

 private:
  const Clock& clock_;
  LocationIndex& index_;
  TripPositions& trips_;
  PresenceGossip* const presences_;
};

}  // namespace hail::driver
