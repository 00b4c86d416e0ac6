// What each side may know of a ride. Everything that leaves rider-service goes through here, and nothing else cuts.
//
// A cancellation's note is read by the side that wrote it and by operators. So is the reason SAFETY: for the other side
// it is UNSPECIFIED. What an operator wrote is read by operators.
#pragma once

#include "rider-service/domain/ride.h"

namespace hail::rider {

// For its rider: all but the offer, the driver's and operators' words, and the internals.
Ride RideForRider(Ride ride);
RideEvent EventForRider(const RideEvent& event);

// For its driver: without rider, request, quote, labels, the rider's and operators' words, and the internals.
Ride RideForDriver(Ride ride);
// For RideEvent::driver_id: of an event that took the ride away, the ride as the driver last had it.
RideEvent EventForDriver(const RideEvent& event);

// For operators: all but the internals.
Ride RideForOperator(Ride ride);

}  // namespace hail::rider
