#include "rider-service/domain/whole_ride.h"

namespace hail::rider {

bool IsWhole(const Ride& ride) {
  if (ride.sequence < 1 || ride.epoch < 1) return false;
  if (ride.state == RideState::kMatching) return ride.match_deadline.has_value();
  if (HasLiveDriver(ride.state)) return ride.driver.has_value() && ride.assign_time.has_value();
  return IsFinal(ride.state);
}

}  // namespace hail::rider
