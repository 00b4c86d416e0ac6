// Converts the services' own messages (hail.rider.v1 and hail.internal.v1) to and from the domain. Resources that both
// services share are in codec/. Pure functions, thread-safe.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "hail/internal/v1/dispatch_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/domain/dispatch_scheduler.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/request_rules.h"
#include "rider-service/domain/ride.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

void Encode(const Product& product, hail::rider::v1::Product* out);
void Encode(const SignedQuote& held, hail::rider::v1::Quote* out);
// The ride that the quote request describes.
RideRequest AsRequest(const hail::rider::v1::QuoteRideRequest& quote);

// INVALID_FIELD "position" unless a valid position is present.
absl::StatusOr<LatLng> DecodePosition(bool present, const hail::type::v1::LatLng& position);

// INVALID_FIELD if a field is missing or out of range.
absl::StatusOr<AcceptedOffer> DecodeAssignment(const hail::internal::v1::ConfirmAssignmentRequest& request);
absl::StatusOr<DriverCommand> DecodeCommand(const hail::internal::v1::RecordTripEventRequest& request);
absl::StatusOr<Resolution> DecodeResolution(hail::internal::v1::Resolution resolution);

std::optional<Cursor> DecodeCursor(const hail::internal::v1::SubscribeDriver& subscribe);
void EncodeSnapshot(const std::string& driver_id, std::int64_t subscription, const DriverCatchUp& snapshot,
                    hail::internal::v1::DriverSnapshot* out);
void EncodeDriverEvent(const std::string& driver_id, std::int64_t subscription, const RideEvent& event,
                       hail::internal::v1::DriverEvent* out);

void Encode(const DispatchScheduler::Start& start, hail::internal::v1::StartDispatch* out);
hail::internal::v1::StopReason EncodeStopReason(DispatchScheduler::StopReason reason);

}  // namespace hail::rider
