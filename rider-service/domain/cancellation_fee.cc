#include "rider-service/domain/cancellation_fee.h"

#include "common/errors/check.h"

namespace hail::rider {

std::optional<Money> CancellationFee(const Ride& ride, absl::Time now) {
  switch (ride.state) {
    case RideState::kEnrouteToPickup:
    case RideState::kArrivedAtPickup:
      HAIL_CHECK(ride.assign_time);
      if (now <= *ride.assign_time + ride.cancellation_terms.free_for) return std::nullopt;
      if (ride.cancellation_terms.fee.micros == 0) return std::nullopt;
      return ride.cancellation_terms.fee;
    case RideState::kEnrouteToDropoff:
      return ride.fare.quoted;
    default:
      return std::nullopt;
  }
}

}  // namespace hail::rider
