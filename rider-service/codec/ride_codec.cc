#include "rider-service/codec/ride_codec.h"

#include <utility>

#include "rider-service/codec/visibility.h"

namespace hail::rider {
namespace {

namespace pb = hail::type::v1;

static_assert(static_cast<int>(RideState::kMatching) == pb::RIDE_STATE_MATCHING);
static_assert(static_cast<int>(RideState::kEnrouteToPickup) == pb::RIDE_STATE_ENROUTE_TO_PICKUP);
static_assert(static_cast<int>(RideState::kArrivedAtPickup) == pb::RIDE_STATE_ARRIVED_AT_PICKUP);
static_assert(static_cast<int>(RideState::kEnrouteToDropoff) == pb::RIDE_STATE_ENROUTE_TO_DROPOFF);
static_assert(static_cast<int>(RideState::kCompleted) == pb::RIDE_STATE_COMPLETED);
static_assert(static_cast<int>(RideState::kNoDriversAvailable) == pb::RIDE_STATE_NO_DRIVERS_AVAILABLE);
static_assert(static_cast<int>(RideState::kCanceled) == pb::RIDE_STATE_CANCELED);
static_assert(static_cast<int>(CancelActor::kSystem) == pb::CANCEL_ACTOR_SYSTEM);
static_assert(static_cast<int>(CancelReason::kOther) == pb::CANCEL_REASON_OTHER);
static_assert(static_cast<int>(CancelReason::kOperator) == pb::CANCEL_REASON_OPERATOR);
static_assert(static_cast<int>(RideEventType::kRequested) == pb::RIDE_EVENT_TYPE_REQUESTED);
static_assert(static_cast<int>(RideEventType::kUnfulfilled) == pb::RIDE_EVENT_TYPE_UNFULFILLED);

void EncodeOptional(const std::optional<absl::Time>& time, google::protobuf::Timestamp* (pb::Ride::*field)(),
                    pb::Ride* out) {
  if (time) Encode(*time, (out->*field)());
}

std::optional<absl::Time> DecodeOptional(bool present, const google::protobuf::Timestamp& time) {
  if (!present) return std::nullopt;
  return DecodeTime(time);
}

}  // namespace

void Encode(const LatLng& point, pb::LatLng* out) {
  out->set_latitude_deg(point.latitude_deg);
  out->set_longitude_deg(point.longitude_deg);
}

void Encode(const Place& place, pb::Place* out) {
  Encode(place.position, out->mutable_position());
  out->set_address(place.address);
}

void Encode(const Money& money, pb::Money* out) {
  out->set_currency_code(money.currency_code);
  out->set_micros(money.micros);
}

void Encode(const DriverSummary& driver, pb::DriverSummary* out) {
  out->set_driver_id(driver.driver_id);
  out->set_display_name(driver.display_name);
  pb::Vehicle* vehicle = out->mutable_vehicle();
  vehicle->set_make(driver.vehicle.make);
  vehicle->set_model(driver.vehicle.model);
  vehicle->set_color(driver.vehicle.color);
  vehicle->set_plate(driver.vehicle.plate);
  vehicle->set_seats(driver.vehicle.seats);
}

pb::RideState EncodeState(RideState state) { return static_cast<pb::RideState>(state); }

namespace {

// What this version knows of it.
void EncodeKnown(const Ride& ride, pb::Ride* out) {
  out->set_ride_id(ride.ride_id);
  out->set_rider_id(ride.rider_id);
  out->set_region_id(ride.region_id);
  out->set_product_id(ride.product_id);
  out->set_state(EncodeState(ride.state));
  out->set_sequence(ride.sequence);
  out->set_epoch(ride.epoch);
  out->set_leg(ride.leg);
  Encode(ride.pickup, out->mutable_pickup());
  Encode(ride.dropoff, out->mutable_dropoff());
  out->set_seats(ride.seats);
  Encode(ride.fare.quoted, out->mutable_fare()->mutable_quoted());
  if (ride.fare.final_fare) Encode(*ride.fare.final_fare, out->mutable_fare()->mutable_final());
  if (ride.fare.cancellation_fee) {
    Encode(*ride.fare.cancellation_fee, out->mutable_fare()->mutable_cancellation_fee());
  }
  if (ride.driver) Encode(*ride.driver, out->mutable_driver());
  if (ride.cancellation) {
    pb::Cancellation* cancellation = out->mutable_cancellation();
    cancellation->set_actor(static_cast<pb::CancelActor>(ride.cancellation->actor));
    cancellation->set_reason(static_cast<pb::CancelReason>(ride.cancellation->reason));
    cancellation->set_note(ride.cancellation->note);
  }
  out->set_request_id(ride.request_id);
  out->set_quote_id(ride.quote_id);
  out->set_offer_id(ride.offer_id);
  Encode(ride.create_time, out->mutable_create_time());
  Encode(ride.update_time, out->mutable_update_time());
  EncodeOptional(ride.match_deadline, &pb::Ride::mutable_match_deadline, out);
  EncodeOptional(ride.assign_time, &pb::Ride::mutable_assign_time, out);
  EncodeOptional(ride.seen_time, &pb::Ride::mutable_seen_time, out);
  EncodeOptional(ride.seen_deadline, &pb::Ride::mutable_seen_deadline, out);
  EncodeOptional(ride.arrive_time, &pb::Ride::mutable_arrive_time, out);
  EncodeOptional(ride.start_time, &pb::Ride::mutable_start_time, out);
  EncodeOptional(ride.end_time, &pb::Ride::mutable_end_time, out);
  out->set_distance_m(ride.distance_m);
  Encode(ride.trip_duration, out->mutable_trip_duration());
  if (ride.pickup_eta) Encode(*ride.pickup_eta, out->mutable_pickup_eta());
  out->set_redispatch_count(ride.redispatch_count);
  for (const auto& [key, value] : ride.labels) (*out->mutable_labels())[key] = value;
  out->set_assignment_ended(ride.assignment_ended);
}

void EncodeKnown(const RideEvent& event, pb::RideEvent* out) {
  out->set_ride_id(event.ride_id);
  out->set_sequence(event.sequence);
  out->set_type(static_cast<pb::RideEventType>(event.type));
  Encode(event.event_time, out->mutable_event_time());
  out->set_reason(static_cast<pb::CancelReason>(event.reason));
  EncodeKnown(event.ride, out->mutable_ride());
  out->set_ended(event.ended);
}

void AddAllUnknownFields(const Ride& ride, pb::Ride* out) {
  AddUnknownFields(ride.unknown_fields, out);
  AddUnknownFields(ride.pickup.unknown_fields, out->mutable_pickup());
  AddUnknownFields(ride.dropoff.unknown_fields, out->mutable_dropoff());
  AddUnknownFields(ride.fare.unknown_fields, out->mutable_fare());
  if (ride.driver) {
    AddUnknownFields(ride.driver->unknown_fields, out->mutable_driver());
    AddUnknownFields(ride.driver->vehicle.unknown_fields, out->mutable_driver()->mutable_vehicle());
  }
  if (ride.cancellation) AddUnknownFields(ride.cancellation->unknown_fields, out->mutable_cancellation());
}

}  // namespace

void EncodeRecord(const Ride& ride, pb::Ride* out) {
  EncodeKnown(ride, out);
  AddAllUnknownFields(ride, out);
}

void EncodeRecord(const RideEvent& event, pb::RideEvent* out) {
  EncodeKnown(event, out);
  AddAllUnknownFields(event.ride, out->mutable_ride());
}

void Encode(const Ride& ride, pb::Ride* out) {
  EncodeKnown(ride, out);
  CutFor(ride.viewer, out);
}

void Encode(const RideEvent& event, pb::RideEvent* out) {
  EncodeKnown(event, out);
  CutFor(event.ride.viewer, out);
}

LatLng DecodeLatLng(const pb::LatLng& point) { return {point.latitude_deg(), point.longitude_deg()}; }

Place DecodePlace(const pb::Place& place) { return {DecodeLatLng(place.position()), place.address()}; }

Money DecodeMoney(const pb::Money& money) { return {money.currency_code(), money.micros()}; }

DriverSummary DecodeDriver(const pb::DriverSummary& driver) {
  const pb::Vehicle& vehicle = driver.vehicle();
  return {driver.driver_id(),
          driver.display_name(),
          {vehicle.make(), vehicle.model(), vehicle.color(), vehicle.plate(), vehicle.seats(), UnknownFields(vehicle)},
          UnknownFields(driver)};
}

RideState DecodeState(pb::RideState state) {
  return pb::RideState_IsValid(state) ? static_cast<RideState>(state) : RideState::kUnspecified;
}

CancelReason DecodeReason(pb::CancelReason reason) {
  return pb::CancelReason_IsValid(reason) ? static_cast<CancelReason>(reason) : CancelReason::kUnspecified;
}

Ride DecodeRide(const pb::Ride& in) {
  Ride ride;
  ride.ride_id = in.ride_id();
  ride.rider_id = in.rider_id();
  ride.region_id = in.region_id();
  ride.product_id = in.product_id();
  ride.state = static_cast<RideState>(in.state());
  ride.sequence = in.sequence();
  ride.epoch = in.epoch();
  ride.leg = in.leg();
  ride.pickup = DecodePlace(in.pickup());
  ride.pickup.unknown_fields = UnknownFields(in.pickup());
  ride.dropoff = DecodePlace(in.dropoff());
  ride.dropoff.unknown_fields = UnknownFields(in.dropoff());
  ride.seats = in.seats();
  ride.fare.quoted = DecodeMoney(in.fare().quoted());
  if (in.fare().has_final()) ride.fare.final_fare = DecodeMoney(in.fare().final());
  if (in.fare().has_cancellation_fee()) ride.fare.cancellation_fee = DecodeMoney(in.fare().cancellation_fee());
  ride.fare.unknown_fields = UnknownFields(in.fare());
  if (in.has_driver()) ride.driver = DecodeDriver(in.driver());
  if (in.has_cancellation()) {
    const pb::Cancellation& cancellation = in.cancellation();
    ride.cancellation = {static_cast<CancelActor>(cancellation.actor()),
                         static_cast<CancelReason>(cancellation.reason()), cancellation.note(),
                         UnknownFields(cancellation)};
  }
  ride.request_id = in.request_id();
  ride.quote_id = in.quote_id();
  ride.offer_id = in.offer_id();
  ride.create_time = DecodeTime(in.create_time());
  ride.update_time = DecodeTime(in.update_time());
  ride.match_deadline = DecodeOptional(in.has_match_deadline(), in.match_deadline());
  ride.assign_time = DecodeOptional(in.has_assign_time(), in.assign_time());
  ride.seen_time = DecodeOptional(in.has_seen_time(), in.seen_time());
  ride.seen_deadline = DecodeOptional(in.has_seen_deadline(), in.seen_deadline());
  ride.arrive_time = DecodeOptional(in.has_arrive_time(), in.arrive_time());
  ride.start_time = DecodeOptional(in.has_start_time(), in.start_time());
  ride.end_time = DecodeOptional(in.has_end_time(), in.end_time());
  ride.distance_m = in.distance_m();
  ride.trip_duration = DecodeDuration(in.trip_duration());
  if (in.has_pickup_eta()) ride.pickup_eta = DecodeDuration(in.pickup_eta());
  ride.redispatch_count = in.redispatch_count();
  ride.labels.insert(in.labels().begin(), in.labels().end());
  ride.assignment_ended = in.assignment_ended();
  ride.unknown_fields = UnknownFields(in);
  return ride;
}

RideEvent DecodeEvent(const pb::RideEvent& in) {
  RideEvent event;
  event.ride_id = in.ride_id();
  event.sequence = in.sequence();
  event.type = static_cast<RideEventType>(in.type());
  event.event_time = DecodeTime(in.event_time());
  event.reason = static_cast<CancelReason>(in.reason());
  event.ride = DecodeRide(in.ride());
  event.ended = in.ended();
  return event;
}

}  // namespace hail::rider
