// What becomes of the positions a driver's device sends: checked, kept if newer, passed on to the driver's rider.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "driver-service/api/sighting_board.h"
#include "driver-service/api/trip_positions.h"
#include "driver-service/domain/location_index.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

// Thread-safe; cheap enough for gRPC's threads.
class PositionIntake {
 public:
  // All must outlive this. `sightings` is null where no other replica wants to know.
  PositionIntake(const Clock& clock, LocationIndex& index, TripPositions& trips, SightingBoard* sightings = nullptr)
      : clock_(clock), index_(index), trips_(trips), sightings_(sightings) {}

  // Takes `request.positions` as fixes of session `session_epoch`. How many were newer than what was known;
  // INVALID_FIELD, and none is taken, if one of them is impossible.
  absl::StatusOr<int> Take(const std::string& driver_id, std::int64_t session_epoch,
                           const v1::UpdateLocationRequest& request);

 private:
  const Clock& clock_;
  LocationIndex& index_;
  TripPositions& trips_;
  SightingBoard* const sightings_;
};

}  // namespace hail::driver
