#include "rider-service/codec/record_codec.h"

#include "common/errors/error.h"
#include "rider-service/codec/record.pb.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/whole_ride.h"

namespace hail::rider {
namespace {

template <typename Message>
bool Parse(std::string_view bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string RideBytes(const Ride& ride) {
  hail::type::v1::Ride message;
  EncodeRecord(ride, &message);
  return message.SerializeAsString();
}

std::string InternalsBytes(const Ride& ride) {
  record::v1::RideInternals message;
  message.set_request_fingerprint(ride.request_fingerprint);
  for (const std::string& driver_id : ride.excluded_driver_ids) message.add_excluded_driver_ids(driver_id);
  Encode(ride.cancellation_terms.fee, message.mutable_cancellation_fee());
  Encode(ride.cancellation_terms.free_for, message.mutable_free_cancellation());
  AddUnknownFields(ride.unknown_internals, &message);
  return message.SerializeAsString();
}

absl::StatusOr<Ride> RideInAnyState(std::string_view ride_bytes, std::string_view internals_bytes) {
  hail::type::v1::Ride message;
  record::v1::RideInternals internals;
  if (!Parse(ride_bytes, message) || !Parse(internals_bytes, internals)) return Internal("a stored ride is damaged");
  Ride ride = DecodeRide(message);
  if (absl::Status whole = CheckWhole(ride); absl::IsInternal(whole)) return whole;
  ride.request_fingerprint = internals.request_fingerprint();
  ride.excluded_driver_ids.assign(internals.excluded_driver_ids().begin(), internals.excluded_driver_ids().end());
  ride.cancellation_terms = {DecodeMoney(internals.cancellation_fee()), DecodeDuration(internals.free_cancellation())};
  ride.unknown_internals = UnknownFields(internals);
  return ride;
}

absl::StatusOr<Ride> RideFromBytes(std::string_view ride_bytes, std::string_view internals_bytes) {
  absl::StatusOr<Ride> ride = RideInAnyState(ride_bytes, internals_bytes);
  if (!ride.ok()) return ride;
  if (absl::Status whole = CheckWhole(*ride); !whole.ok()) return whole;
  return ride;
}

absl::StatusOr<Ride> FormerFromBytes(std::string_view ride) {
  absl::StatusOr<Ride> former = RideFromBytes(ride, "");
  if (former.ok()) former->assignment_ended = true;
  return former;
}

std::string EventBytes(const RideEvent& event) {
  hail::type::v1::RideEvent message;
  EncodeRecord(event, &message);
  return message.SerializeAsString();
}

absl::StatusOr<RideEvent> EventFromBytes(std::string_view bytes) {
  hail::type::v1::RideEvent message;
  if (!Parse(bytes, message)) return Internal("a stored event is damaged");
  RideEvent event = DecodeEvent(message);
  if (absl::Status whole = CheckWhole(event.ride); !whole.ok()) return whole;
  return event;
}

}  // namespace hail::rider
