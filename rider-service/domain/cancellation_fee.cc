#include "rider-service/domain/cancellation_fee.h"

#include "common/errors/check.h"

namespace hail::rider {

std::optional<Money> CancellationFee(const Ride& ride, absl::Time now) {
  const CancellationTerms terms = ride.cancellation_terms();
  switch (ride.state()) {
    case RideState::kEnrouteToPickup:
    case RideState::kArrivedAtPickup:
      HAIL_CHECK(ride.message().has_assign_time());
      if (now <= *ride.assign_time() + terms.free_for || terms.fee.micros == 0) return std::nullopt;
      return terms.fee;
    case RideState::kEnrouteToDropoff:
      return ride.quoted_fare();
    default:
      return std::nullopt;
  }
}

}  // namespace hail::rider
