// What riders are told of cars nearby: rounded, and without saying whose they are.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "hail/internal/v1/dispatch_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"

namespace hail::rider {

// INVALID_FIELD for what is missing or out of range.
absl::StatusOr<hail::internal::v1::SearchDriversRequest> SearchFor(
    const hail::rider::v1::ListNearbyCarsRequest& request);

void EncodeCars(const hail::internal::v1::SearchDriversResponse& found,
                hail::rider::v1::ListNearbyCarsResponse* response);

// Asks for the cars that could serve a quote: near the pickup, with the seats, of one product or any.
hail::internal::v1::SearchDriversRequest SearchFor(const hail::rider::v1::QuoteRideRequest& request);

// Sets each quote's pickup ETA to that of the nearest car of its product, where there is one.
void AddPickupEtas(const hail::internal::v1::SearchDriversResponse& found,
                   hail::rider::v1::QuoteRideResponse* response);

}  // namespace hail::rider
