// Encodes rides for answers (hail.type.v1). No gRPC here. Pure functions, thread-safe.
#pragma once

#include "hail/type/v1/ride.pb.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// The fields that the ride's viewer may read (domain/view.h).
void Encode(const Ride& ride, hail::type::v1::Ride* out);
void Encode(const RideEvent& event, hail::type::v1::RideEvent* out);

// From the contract. An unknown number is kUnspecified.
RideState DecodeState(hail::type::v1::RideState state);
CancelReason DecodeReason(hail::type::v1::CancelReason reason);

}  // namespace hail::rider
