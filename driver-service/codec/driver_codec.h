// hail.driver.v1 ↔ the domain.
#pragma once

#include "absl/status/statusor.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/near_driver.h"
#include "driver-service/domain/position_rules.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

v1::Driver ToProto(const Driver& driver);
// Not validated (see CheckDriver); without times.
Driver FromProto(const v1::Driver& driver);

// `known` with the fields changed that the request names. INVALID_FIELD for a path that names none of them, and as
// CheckDriver.
absl::StatusOr<Driver> Updated(const Driver& known, const v1::UpdateDriverRequest& request);

v1::Availability ToProto(Availability availability);
// INVALID_FIELD "availability" unless ONLINE or OFFLINE.
absl::StatusOr<Availability> FromProto(v1::Availability availability);

v1::OfferStatus ToProto(OfferStatus status);
v1::OfferRevokeReason ToProto(RevokeReason reason);

v1::DriverState ToProto(const DriverState& state);
v1::Offer ToProto(const OfferView& offer);
v1::OfferUpdate ToProto(const OfferUpdate& update);
v1::StreamDriverResponse ToProto(const DriverMessage& message);

// A fix received at `received` (domain) in session `session_epoch`. INVALID_FIELD below `field` if it is impossible by
// itself (CheckFix); the comparison with other fixes is the caller's task.
absl::StatusOr<Fix> FromProto(const type::v1::Position& position, std::int64_t session_epoch, absl::Time received,
                              const std::string& field);

v1::UpdateLocationResponse ToProto(const PositionTally& tally);

// Unset or empty: nullopt. INVALID_FIELD for an invalid id or a negative sequence.
absl::StatusOr<std::optional<RideCursor>> FromProto(const v1::OpenSession& open);

}  // namespace hail::driver
