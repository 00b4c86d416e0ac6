#include "rider-service/codec/event_codec.h"

#include "common/errors/error.h"
#include "rider-service/codec/record.pb.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/whole_ride.h"

namespace hail::rider {

std::string ProtoEventCodec::Encode(const RideEvent& event) const {
  record::v1::EventRecord record;
  EncodeRecord(event, record.mutable_event());
  record.set_driver_id(event.driver_id);
  record.set_driver_sequence(event.driver_sequence);
  record.set_ended(event.ended);
  if (event.former) EncodeRecord(*event.former, record.mutable_former());
  return record.SerializeAsString();
}

absl::StatusOr<RideEvent> ProtoEventCodec::Decode(const std::string& payload) const {
  record::v1::EventRecord record;
  if (!record.ParseFromString(payload) || !record.has_event()) return Internal("a message on the bus is damaged");
  RideEvent event = DecodeEvent(record.event());
  event.driver_id = record.driver_id();
  event.driver_sequence = record.driver_sequence();
  event.ended = record.ended();
  if (record.has_former()) {
    event.former = DecodeRide(record.former());
    // A replica of an earlier version does not say so.
    event.former->assignment_ended = true;
  }
  if (absl::Status whole = CheckWhole(event.ride); !whole.ok()) return whole;
  if (!event.former) return event;
  if (absl::Status whole = CheckWhole(*event.former); !whole.ok()) return whole;
  return event;
}

}  // namespace hail::rider
