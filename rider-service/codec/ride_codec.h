// Rides between the domain and the contract (hail.type.v1). No gRPC here. Pure functions, thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/proto/time.h"
#include "google/protobuf/unknown_field_set.h"
#include "hail/type/v1/geo.pb.h"
#include "hail/type/v1/money.pb.h"
#include "hail/type/v1/ride.pb.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// To the contract: what the ride's viewer may read of it (domain/view.h).
void Encode(const Ride& ride, hail::type::v1::Ride* out);
void Encode(const RideEvent& event, hail::type::v1::RideEvent* out);

// All of it but the internals, for the store and the bus: with the fields that this version does not know.
void EncodeRecord(const Ride& ride, hail::type::v1::Ride* out);
void EncodeRecord(const RideEvent& event, hail::type::v1::RideEvent* out);

void Encode(const Place& place, hail::type::v1::Place* out);
void Encode(const LatLng& point, hail::type::v1::LatLng* out);
void Encode(const Money& money, hail::type::v1::Money* out);
void Encode(const DriverSummary& driver, hail::type::v1::DriverSummary* out);
using hail::Encode;
hail::type::v1::RideState EncodeState(RideState state);

// The fields of a record that this version does not know, encoded.
template <typename Message>
std::string UnknownFields(const Message& record) {
  const google::protobuf::UnknownFieldSet& fields = record.GetReflection()->GetUnknownFields(record);
  std::string bytes;
  if (!fields.empty()) fields.SerializeToString(&bytes);
  return bytes;
}
template <typename Message>
void AddUnknownFields(const std::string& unknown_fields, Message* out) {
  if (!unknown_fields.empty()) out->MergeFromString(unknown_fields);
}

// A record, as it is: nothing is judged, and numbers of a later version stay what they are.
Ride DecodeRide(const hail::type::v1::Ride& ride);
RideEvent DecodeEvent(const hail::type::v1::RideEvent& event);
// From a service: with the fields that this version does not know.
DriverSummary DecodeDriver(const hail::type::v1::DriverSummary& driver);

// From the contract, as far as this version knows it: what an app adds to it is not stored.
Place DecodePlace(const hail::type::v1::Place& place);
LatLng DecodeLatLng(const hail::type::v1::LatLng& point);
Money DecodeMoney(const hail::type::v1::Money& money);
// An unknown number is kUnspecified.
RideState DecodeState(hail::type::v1::RideState state);
CancelReason DecodeReason(hail::type::v1::CancelReason reason);

}  // namespace hail::rider
