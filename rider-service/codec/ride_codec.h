// Rides between the domain and the contract (hail.type.v1). No gRPC here. Pure functions, thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/proto/time.h"
#include "hail/type/v1/geo.pb.h"
#include "hail/type/v1/money.pb.h"
#include "hail/type/v1/ride.pb.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// To the contract. Internals of rides and events do not travel; cut them to a view first (domain/view.h).
void Encode(const Ride& ride, hail::type::v1::Ride* out);
void Encode(const RideEvent& event, hail::type::v1::RideEvent* out);
void Encode(const Place& place, hail::type::v1::Place* out);
void Encode(const LatLng& point, hail::type::v1::LatLng* out);
void Encode(const Money& money, hail::type::v1::Money* out);
void Encode(const DriverSummary& driver, hail::type::v1::DriverSummary* out);
using hail::Encode;
hail::type::v1::RideState EncodeState(RideState state);

// From the contract, as it is: nothing is judged but what cannot be represented.
Ride DecodeRide(const hail::type::v1::Ride& ride);
RideEvent DecodeEvent(const hail::type::v1::RideEvent& event);
Place DecodePlace(const hail::type::v1::Place& place);
LatLng DecodeLatLng(const hail::type::v1::LatLng& point);
Money DecodeMoney(const hail::type::v1::Money& money);
DriverSummary DecodeDriver(const hail::type::v1::DriverSummary& driver);
// An unknown number is kUnspecified.
RideState DecodeState(hail::type::v1::RideState state);
CancelReason DecodeReason(hail::type::v1::CancelReason reason);

}  // namespace hail::rider
