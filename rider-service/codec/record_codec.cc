#include "rider-service/codec/record_codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>
#include <utility>

#include "common/errors/error.h"
#include "rider-service/domain/validate_ride.h"

namespace hail::rider {
namespace {

template <typename Message>
bool Parse(std::string_view bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// Appends the field `number`, which holds an encoded message, to an encoded message without that field.
void AddEncoded(int number, const std::string& message, std::string* out) {
  constexpr std::uint32_t kLengthDelimited = 2;
  google::protobuf::io::StringOutputStream stream(out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.WriteTag(static_cast<std::uint32_t>(number) << 3 | kLengthDelimited);
  coded.WriteVarint32(static_cast<std::uint32_t>(message.size()));
  coded.WriteString(message);
}

// The domain's event from the contract's; its ride may be in any state.
RideEvent EventOf(hail::type::v1::RideEvent message) {
  RideEvent event;
  event.ride = Ride(std::move(*message.mutable_ride()));
  message.clear_ride();
  event.message = std::move(message);
  return event;
}

absl::StatusOr<Ride> Whole(Ride ride) {
  if (absl::Status whole = ValidateRide(ride); !whole.ok()) return whole;
  return ride;
}

}  // namespace

absl::StatusOr<Ride> RideInAnyState(std::string_view ride_bytes, std::string_view internals_bytes) {
  Ride ride;
  if (!Parse(ride_bytes, *ride.Edit()) || !Parse(internals_bytes, *ride.EditInternals())) {
    return Internal("a stored ride is damaged");
  }
  if (absl::Status whole = ValidateRide(ride); absl::IsInternal(whole)) return whole;
  return ride;
}

absl::StatusOr<Ride> RideFromBytes(std::string_view ride_bytes, std::string_view internals_bytes) {
  absl::StatusOr<Ride> ride = RideInAnyState(ride_bytes, internals_bytes);
  if (!ride.ok()) return ride;
  return Whole(*std::move(ride));
}

absl::StatusOr<Ride> FormerFromBytes(std::string_view ride) {
  absl::StatusOr<Ride> former = RideFromBytes(ride, "");
  if (former.ok()) former->Edit()->set_assignment_ended(true);
  return former;
}

std::string EventBytes(const RideEvent& event) {
  std::string bytes = event.message.SerializeAsString();
  AddEncoded(hail::type::v1::RideEvent::kRideFieldNumber, event.ride.bytes(), &bytes);
  return bytes;
}

absl::StatusOr<RideEvent> EventFromBytes(std::string_view bytes) {
  hail::type::v1::RideEvent message;
  if (!Parse(bytes, message)) return Internal("a stored event is damaged");
  RideEvent event = EventOf(std::move(message));
  if (absl::Status whole = ValidateRide(event.ride); !whole.ok()) return whole;
  return event;
}

std::string ProtoEventCodec::Encode(const RideEvent& event) const {
  record::v1::EventRecord record;
  record.set_driver_id(event.driver_id);
  record.set_driver_sequence(event.driver_sequence);
  record.set_ended(event.ended());
  std::string bytes = record.SerializeAsString();
  AddEncoded(record::v1::EventRecord::kEventFieldNumber, EventBytes(event), &bytes);
  if (event.former) AddEncoded(record::v1::EventRecord::kFormerFieldNumber, event.former->bytes(), &bytes);
  return bytes;
}

absl::StatusOr<RideEvent> ProtoEventCodec::Decode(const std::string& payload) const {
  record::v1::EventRecord record;
  if (!record.ParseFromString(payload) || !record.has_event()) return Internal("a message on the bus is damaged");
  RideEvent event = EventOf(std::move(*record.mutable_event()));
  event.driver_id = record.driver_id();
  event.driver_sequence = record.driver_sequence();
  event.message.set_ended(record.ended());
  if (absl::Status whole = ValidateRide(event.ride); !whole.ok()) return whole;
  if (!record.has_former()) return event;
  event.former = Ride(std::move(*record.mutable_former()));
  // Replicas of an earlier version do not set it.
  event.former->Edit()->set_assignment_ended(true);
  if (absl::Status whole = ValidateRide(*event.former); !whole.ok()) return whole;
  return event;
}

}  // namespace hail::rider
