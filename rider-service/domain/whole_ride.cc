#include "rider-service/domain/whole_ride.h"

namespace hail::rider {

namespace {

// More than a ride can come to.
constexpr std::int64_t kMost = std::int64_t{1} << 40;
constexpr int kMostLegs = 1000;

}  // namespace

bool IsWhole(const Ride& ride) {
  if (ride.sequence < 1 || ride.sequence > kMost || ride.epoch < 1 || ride.epoch > kMost) return false;
  if (ride.leg < 0 || ride.leg > kMostLegs) return false;
  if (ride.state == RideState::kMatching) return ride.match_deadline.has_value();
  if (HasLiveDriver(ride.state)) return ride.driver.has_value() && ride.assign_time.has_value();
  return IsFinal(ride.state);
}

}  // namespace hail::rider
