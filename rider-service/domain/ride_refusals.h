// The refusals of a RideStore, and of Rides before it calls one: the same errors for every store.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace hail::rider {

// RIDE_NOT_FOUND.
absl::Status NoSuchRide();
// REQUEST_ID_REUSED; `ride_id` is the ride of the first request.
absl::Status RequestIdReused(const std::string& ride_id);
// RIDER_BUSY; `ride_id` is the live ride.
absl::Status RiderBusy(const std::string& ride_id);
// QUOTE_USED.
absl::Status QuoteUsed();
// DRIVER_BUSY.
absl::Status DriverBusy();
// OFFER_EXPIRED: ByOffer has denied it.
absl::Status OfferDenied();
// STORE_UNAVAILABLE: the row had changed at each attempt.
absl::Status ConcurrentModification();

}  // namespace hail::rider
