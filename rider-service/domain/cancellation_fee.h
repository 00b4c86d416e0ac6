// The price of a rider's cancellation.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// The fee for canceling `ride` at `now` (domain time); nullopt: free.
//   - nobody assigned yet: free
//   - on the way to the pickup or waiting there: free for terms.free_for after the assignment, then terms.fee
//   - on board: what the ride would have cost
// Only a rider's cancellation is ever charged.
std::optional<Money> CancellationFee(const Ride& ride, absl::Time now);

}  // namespace hail::rider
