// hail.internal.v1 ↔ the domain: the dispatch link, the feed, confirmations.
#pragma once

#include "absl/status/statusor.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/seen_cars.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "hail/internal/v1/dispatch_service.pb.h"

namespace hail::driver {

// ---- The link

// INVALID_FIELD for values that no rider-service sends: ids, epoch below 1, coordinates, seats, remaining.
absl::StatusOr<DispatchStart> FromProto(const internal::v1::StartDispatch& start);
// kSuperseded for an unknown reason.
StopReason FromProto(internal::v1::StopReason reason);
internal::v1::DispatchResponse ToProto(const LinkMessage& message);

// ---- Confirmations

internal::v1::ConfirmAssignmentRequest ToProto(const ConfirmCall& call);
internal::v1::FindAssignmentRequest ToProto(const FindCall& call);

// ---- The feed

internal::v1::WatchDriversRequest SubscribeMessage(const std::string& driver_id, std::int64_t subscription,
                                                   const std::optional<RideCursor>& cursor);
internal::v1::WatchDriversRequest UnsubscribeMessage(const std::string& driver_id);
FeedSnapshot FromProto(const internal::v1::DriverSnapshot& snapshot);
FeedEvent FromProto(const internal::v1::DriverEvent& event);

// ---- Positions and search

// `age` is as of `now` (domain).
internal::v1::DriverLocation ToProto(const std::string& driver_id, const RideView& ride, const Fix& fix, absl::Time now,
                                     absl::Duration eta);
internal::v1::FoundDriver ToProto(const SeenCar& car);

}  // namespace hail::driver
