// The message that a viewer gets of a ride.
#pragma once

#include "rider-service/codec/ride_codec.h"

namespace hail::rider {

inline hail::type::v1::Ride Shown(const Ride& ride) {
  hail::type::v1::Ride shown;
  Encode(ride, &shown);
  return shown;
}

inline hail::type::v1::RideEvent Shown(const RideEvent& event) {
  hail::type::v1::RideEvent shown;
  Encode(event, &shown);
  return shown;
}

}  // namespace hail::rider
