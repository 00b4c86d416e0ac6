#include "driver-service/codec/internal_codec.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/proto/time.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/ride_codec.h"

namespace hail::driver {
namespace {

template <typename Message>
void Fill(Message* message, const RideEpoch& ride) {
  message->set_ride_id(ride.ride_id);
  message->set_epoch(ride.epoch);
}

struct ToResponse {
  internal::v1::DispatchResponse response;

  void operator()(const DispatchStarted& started) { Fill(response.mutable_started(), started); }
  void operator()(const DispatchExhausted& exhausted) { Fill(response.mutable_exhausted(), exhausted); }
  void operator()(const OfferSettled& settled) {
    Fill(response.mutable_settled(), settled);
    response.mutable_settled()->set_driver_id(settled.driver_id);
    response.mutable_settled()->set_outcome(settled.outcome == OfferStatus::kExpired
                                                ? internal::v1::OFFER_OUTCOME_EXPIRED
                                                : internal::v1::OFFER_OUTCOME_DECLINED);
  }
  void operator()(const WorkingSet& set) {
    internal::v1::WorkingSet* proto = response.mutable_working_set();
    for (const RideEpoch& ride : set.rides) Fill(proto->add_rides(), ride);
  }
};

LatLng PointOf(const type::v1::LatLng& point) { return {point.latitude_deg(), point.longitude_deg()}; }

void Fill(type::v1::LatLng* proto, const LatLng& point) {
  proto->set_latitude_deg(point.latitude_deg);
  proto->set_longitude_deg(point.longitude_deg);
}

}  // namespace

absl::StatusOr<DispatchStart> FromProto(const internal::v1::StartDispatch& proto) {
  DispatchStart start;
  start.ride_id = proto.ride_id();
  if (absl::Status s = CheckId(start.ride_id, "start.ride_id"); !s.ok()) return s;
  start.epoch = proto.epoch();
  // There must be a next epoch.
  if (start.epoch < 1 || start.epoch == std::numeric_limits<std::int64_t>::max()) {
    return InvalidField("start.epoch", "must be at least 1, and below the maximum");
  }
  start.region_id = proto.region_id();
  start.product_id = proto.product_id();
  start.seats = proto.seats();
  if (start.seats < 1) return InvalidField("start.seats", "must be at least 1");
  start.pickup = PointOf(proto.pickup().position());
  if (absl::Status s = CheckLatLng(start.pickup, "start.pickup.position"); !s.ok()) return s;
  start.remaining = DecodeDuration(proto.remaining());
  if (start.remaining == absl::InfiniteDuration()) return InvalidField("start.remaining", "must be a length of time");
  start.offer_time = DecodeDuration(proto.offer_time());
  if (start.offer_time <= absl::ZeroDuration() || start.offer_time == absl::InfiniteDuration()) {
    return InvalidField("start.offer_time", "must be a length of time above zero");
  }
  start.excluded_driver_ids.assign(proto.excluded_driver_ids().begin(), proto.excluded_driver_ids().end());
  start.encoded = std::make_shared<const std::string>(proto.SerializeAsString());
  return start;
}

StopReason FromProto(internal::v1::StopReason reason) {
  switch (reason) {
    case internal::v1::STOP_REASON_RIDE_CANCELED:
      return StopReason::kRideCanceled;
    case internal::v1::STOP_REASON_TAKEN:
      return StopReason::kTaken;
    default:
      return StopReason::kSuperseded;
  }
}

internal::v1::DispatchResponse ToProto(const LinkMessage& message) {
  ToResponse to;
  std::visit(to, message);
  return std::move(to.response);
}

internal::v1::ConfirmAssignmentRequest ToProto(const ConfirmCall& call) {
  internal::v1::ConfirmAssignmentRequest proto;
  proto.set_ride_id(call.ride_id);
  proto.set_epoch(call.epoch);
  const v1::Driver driver = ToProto(call.driver);
  proto.mutable_driver()->set_driver_id(driver.driver_id());
  proto.mutable_driver()->set_display_name(driver.display_name());
  *proto.mutable_driver()->mutable_vehicle() = driver.vehicle();
  proto.set_offer_id(call.offer_id);
  Encode(call.pickup_eta, proto.mutable_pickup_eta());
  return proto;
}

internal::v1::FindAssignmentRequest ToProto(const FindCall& call) {
  internal::v1::FindAssignmentRequest proto;
  proto.set_driver_id(call.driver_id);
  proto.set_offer_id(call.offer_id);
  return proto;
}

internal::v1::WatchDriversRequest SubscribeMessage(const std::string& driver_id, std::int64_t subscription,
                                                   const std::optional<RideCursor>& cursor) {
  internal::v1::WatchDriversRequest proto;
  proto.mutable_subscribe()->set_driver_id(driver_id);
  proto.mutable_subscribe()->set_subscription(subscription);
  if (cursor.has_value()) *proto.mutable_subscribe()->mutable_cursor() = ToProto(*cursor);
  return proto;
}

internal::v1::WatchDriversRequest UnsubscribeMessage(const std::string& driver_id) {
  internal::v1::WatchDriversRequest proto;
  proto.mutable_unsubscribe()->set_driver_id(driver_id);
  return proto;
}

FeedSnapshot FromProto(const internal::v1::DriverSnapshot& proto) {
  FeedSnapshot snapshot;
  snapshot.driver_id = proto.driver_id();
  snapshot.subscription = proto.subscription();
  for (const type::v1::RideEvent& event : proto.missed()) snapshot.missed.push_back(FromProto(event));
  snapshot.reset = proto.reset();
  if (proto.has_ride()) snapshot.ride = std::make_shared<const RideView>(FromProto(proto.ride()));
  return snapshot;
}

FeedEvent FromProto(const internal::v1::DriverEvent& proto) {
  return {proto.driver_id(), proto.subscription(), FromProto(proto.event()), proto.ended()};
}

internal::v1::DriverLocation ToProto(const std::string& driver_id, const RideView& ride, const Fix& fix, absl::Time now,
                                     absl::Duration eta) {
  internal::v1::DriverLocation proto;
  proto.set_driver_id(driver_id);
  proto.set_ride_id(ride.ride_id);
  proto.set_epoch(ride.epoch);
  proto.set_session_epoch(fix.session_epoch);
  type::v1::Position* position = proto.mutable_position();
  Fill(position->mutable_location(), fix.point);
  if (fix.speed_mps.has_value()) position->set_speed_mps(*fix.speed_mps);
  if (fix.heading_deg.has_value()) position->set_heading_deg(*fix.heading_deg);
  if (fix.accuracy_m.has_value()) position->set_accuracy_m(*fix.accuracy_m);
  Encode(std::max(absl::ZeroDuration(), now - fix.observed), position->mutable_age());
  position->set_position_seq(fix.position_seq);
  Encode(eta, proto.mutable_eta());
  return proto;
}

internal::v1::FoundDriver ToProto(const SeenCar& car) {
  internal::v1::FoundDriver proto;
  proto.set_driver_id(car.driver_id);
  Fill(proto.mutable_position(), car.place);
  if (car.heading_deg.has_value()) proto.set_heading_deg(*car.heading_deg);
  for (const std::string& product_id : car.car->product_ids) proto.add_product_ids(product_id);
  proto.set_distance_m(car.distance_m);
  Encode(car.eta, proto.mutable_eta());
  return proto;
}

}  // namespace hail::driver
