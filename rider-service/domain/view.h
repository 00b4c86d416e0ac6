// What each side may know of a ride. Everything that leaves rider-service goes through here.
#pragma once

#include "rider-service/domain/ride.h"

namespace hail::rider {

// For its rider: all but the offer and the internals.
Ride RideForRider(Ride ride);
RideEvent EventForRider(const RideEvent& event);

// For its driver: without rider, request, quote, labels and the internals.
Ride RideForDriver(Ride ride);
// For RideEvent::driver_id: of an event that took the ride away, the ride as the driver last had it.
RideEvent EventForDriver(const RideEvent& event);

}  // namespace hail::rider
