#include "driver-service/codec/ride_codec.h"

namespace hail::driver {
namespace {

// By number range (ride.proto), so that the driver is on a trip in the states of a later version too.
bool IsLive(type::v1::RideState state) {
  return state > type::v1::RIDE_STATE_MATCHING && state < type::v1::RIDE_STATE_COMPLETED;
}

// Applies to the events that a driver gets.
bool EndsAssignment(type::v1::RideEventType type) {
  switch (type) {
    case type::v1::RIDE_EVENT_TYPE_REDISPATCHED:
    case type::v1::RIDE_EVENT_TYPE_COMPLETED:
    case type::v1::RIDE_EVENT_TYPE_CANCELED:
      return true;
    default:
      return false;
  }
}

LatLng PointOf(const type::v1::Place& place) {
  return {place.position().latitude_deg(), place.position().longitude_deg()};
}

std::shared_ptr<const std::string> Encode(const google::protobuf::MessageLite& message) {
  return std::make_shared<const std::string>(message.SerializeAsString());
}

// Bytes from our own codec or rider-service always parse.
template <typename Message>
Message Decode(const std::shared_ptr<const std::string>& encoded) {
  Message message;
  if (encoded != nullptr) message.ParseFromString(*encoded);
  return message;
}

}  // namespace

RideView FromProto(const type::v1::Ride& ride) {
  RideView view;
  view.ride_id = ride.ride_id();
  view.sequence = ride.sequence();
  view.epoch = ride.epoch();
  view.offer_id = ride.offer_id();
  view.live = IsLive(ride.state()) && !ride.assignment_ended();
  view.leg = ride.leg();
  view.pickup = PointOf(ride.pickup());
  view.dropoff = PointOf(ride.dropoff());
  view.encoded = Encode(ride);
  return view;
}

RideEventView FromProto(const type::v1::RideEvent& received) {
  type::v1::RideEvent event = received;
  // A rider-service of an earlier version does not set `ended` for these events.
  if (EndsAssignment(event.type())) event.set_ended(true);
  if (event.type() == type::v1::RIDE_EVENT_TYPE_REDISPATCHED) event.mutable_ride()->set_assignment_ended(true);
  RideView view = FromProto(event.ride());
  // If the event ended the driver's assignment, the ride in it may be as the driver last had it.
  view.ride_id = event.ride_id();
  view.sequence = event.sequence();
  return {std::make_shared<const RideView>(std::move(view)), Encode(event)};
}

type::v1::Ride ToProto(const RideView& ride) { return Decode<type::v1::Ride>(ride.encoded); }

type::v1::RideEvent ToProto(const RideEventView& event) { return Decode<type::v1::RideEvent>(event.encoded); }

type::v1::Cursor ToProto(const RideCursor& cursor) {
  type::v1::Cursor proto;
  proto.set_ride_id(cursor.ride_id);
  proto.set_sequence(cursor.sequence);
  return proto;
}

}  // namespace hail::driver
