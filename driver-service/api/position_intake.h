// What becomes of the positions a driver's device sends: judged, kept if taken, passed on to the driver's rider.
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
  // All must outlive this. `presences` is null where no other replica wants to know.
  PositionIntake(const Clock& clock, LocationIndex& index, TripPositions& trips, PresenceGossip* presences = nullptr)
      : clock_(clock), index_(index), trips_(trips), presences_(presences) {}

  // Judges `request.positions`, each on its own, as fixes of session `session_epoch`. INVALID_FIELD, naming a part of
  // the first, if every one is impossible by itself.
  absl::StatusOr<PositionTally> Take(const std::string& driver_id, std::int64_t session_epoch,
                                     const v1::UpdateLocationRequest& request);

 private:
  const Clock& clock_;
  LocationIndex& index_;
  TripPositions& trips_;
  PresenceGossip* const presences_;
};

}  // namespace hail::driver
