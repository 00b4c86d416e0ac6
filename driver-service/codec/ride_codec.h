// hail.type.v1 rides as a driver sees them ↔ the domain.
#pragma once

#include "driver-service/domain/ride_view.h"
#include "hail/type/v1/ride.pb.h"
#include "hail/type/v1/stream.pb.h"

namespace hail::driver {

RideView FromProto(const type::v1::Ride& ride);
RideEventView FromProto(const type::v1::RideEvent& event);

// The message as received.
type::v1::Ride ToProto(const RideView& ride);
type::v1::RideEvent ToProto(const RideEventView& event);

type::v1::Cursor ToProto(const RideCursor& cursor);

}  // namespace hail::driver
