#include "rider-service/domain/validate_ride.h"

#include "common/errors/error.h"

namespace hail::rider {

namespace {

// More than any number of a ride can reach.
constexpr std::int64_t kMost = std::int64_t{1} << 40;
constexpr int kMostLegs = 1000;

bool HasNumbers(const Ride& ride) {
  return ride.sequence() >= 1 && ride.sequence() <= kMost && ride.epoch() >= 1 && ride.epoch() <= kMost &&
         ride.leg() >= 0 && ride.leg() <= kMostLegs && ride.state() != RideState::kUnspecified;
}

absl::Status Damaged() { return Internal("the record of the ride is damaged"); }

}  // namespace

absl::Status ValidateRide(const Ride& ride) {
  if (!HasNumbers(ride)) return Damaged();
  if (ride.state() == RideState::kMatching) return ride.message().has_match_deadline() ? absl::OkStatus() : Damaged();
  if (HasLiveDriver(ride.state()))
    return ride.message().has_driver() && ride.message().has_assign_time() ? absl::OkStatus() : Damaged();
  if (IsFinal(ride.state())) return absl::OkStatus();
  return Unavailable(Reason::kReplicaTooOld,
                     "the ride is in a state of a newer version, which this replica does not know");
}

}  // namespace hail::rider
