// The parts of a ride that each side may see. Every ride that leaves rider-service passes through here; any other ride
// is encoded as an empty message. The contract defines which fields a side reads (hail/type/v1/visibility.proto), and
// the encoder applies that (codec/visibility.h); this file has the rules that depend on the ride.
//
// The author's side and operators may read a cancellation's note and the reason SAFETY; the other side sees
// UNSPECIFIED. Only operators read what an operator wrote.
#pragma once

#include "rider-service/domain/ride.h"

namespace hail::rider {

// For the ride's rider: without the words of the driver and operators.
Ride RideForRider(Ride ride);
RideEvent EventForRider(const RideEvent& event);

// For the ride's driver: without the words of the rider and operators.
Ride RideForDriver(Ride ride);
// For RideEvent::driver_id: if the event ended the assignment, with the ride as the driver last had it.
RideEvent EventForDriver(const RideEvent& event);

// For operators.
Ride RideForOperator(Ride ride);

}  // namespace hail::rider
