// What each side may know of a ride. Everything that leaves rider-service goes through here: a ride that did not is
// encoded as an empty message. Which fields a side reads is said in the contract (hail/type/v1/visibility.proto) and
// applied where the ride is encoded (codec/visibility.h); here are the rules that depend on the ride.
//
// A cancellation's note is read by the side that wrote it and by operators. So is the reason SAFETY: for the other side
// it is UNSPECIFIED. What an operator wrote is read by operators.
#pragma once

#include "rider-service/domain/ride.h"

namespace hail::rider {

// For its rider: without the driver's and operators' words.
Ride RideForRider(Ride ride);
RideEvent EventForRider(const RideEvent& event);

// For its driver: without the rider's and operators' words.
Ride RideForDriver(Ride ride);
// For RideEvent::driver_id: of an event that took the ride away, the ride as the driver last had it.
RideEvent EventForDriver(const RideEvent& event);

// For operators.
Ride RideForOperator(Ride ride);

}  // namespace hail::rider
