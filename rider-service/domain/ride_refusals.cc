#include "rider-service/domain/ride_refusals.h"

#include "common/errors/error.h"

namespace hail::rider {

absl::Status NoSuchRide() { return NotFound(Reason::kRideNotFound, "no such ride"); }

absl::Status RequestIdReused(const std::string& ride_id) {
  return MakeError(absl::StatusCode::kAlreadyExists, "the request_id was used for a ride with another body",
                   {.reason = Reason::kRequestIdReused, .metadata = {{"ride_id", ride_id}}});
}

absl::Status RiderBusy(const std::string& ride_id) {
  return FailedPrecondition(Reason::kRiderBusy, "the rider has a live ride", {{"ride_id", ride_id}});
}

absl::Status QuoteUsed() { return FailedPrecondition(Reason::kQuoteUsed, "the quote was used for another ride"); }

absl::Status DriverBusy() { return FailedPrecondition(Reason::kDriverBusy, "the driver has another live ride"); }

absl::Status OfferDenied() { return FailedPrecondition(Reason::kOfferExpired, "the offer was denied to the driver"); }

absl::Status ConcurrentModification() {
  return Unavailable(Reason::kStoreUnavailable, "the ride was changed by others at each attempt; retry");
}

}  // namespace hail::rider
