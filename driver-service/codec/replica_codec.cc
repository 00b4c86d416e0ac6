#include "driver-service/codec/replica_codec.h"

#include <algorithm>
#include <memory>
#include <variant>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/proto/time.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/codec/replica.pb.h"
#include "driver-service/codec/ride_codec.h"

namespace hail::driver {
namespace {

namespace rpb = replica::v1;

// The enums of messages have the domain's numbers, plus 1 if 0 is "unspecified".
static_assert(static_cast<int>(OfferStatus::kRevoked) + 1 == v1::OFFER_STATUS_REVOKED);
static_assert(static_cast<int>(RevokeReason::kWentOffline) == v1::OFFER_REVOKE_REASON_WENT_OFFLINE);
static_assert(static_cast<int>(RemoteOfferRejectReason::kDispatchOver) == rpb::ASK_ENDING_DISPATCH_OVER);

// An unknown status of a later version counts as the weakest: the offer is over, through no one's fault.
OfferStatus FromProto(v1::OfferStatus status) {
  return status >= v1::OFFER_STATUS_PENDING && status <= v1::OFFER_STATUS_REVOKED
             ? static_cast<OfferStatus>(static_cast<int>(status) - 1)
             : OfferStatus::kRevoked;
}
RevokeReason FromProto(v1::OfferRevokeReason reason) {
  return reason >= v1::OFFER_REVOKE_REASON_UNSPECIFIED && reason <= v1::OFFER_REVOKE_REASON_WENT_OFFLINE
             ? static_cast<RevokeReason>(reason)
             : RevokeReason::kSuperseded;
}
RemoteOfferRejectReason FromProto(rpb::RemoteOfferRejectReason ending) {
  return rpb::RemoteOfferRejectReason_IsValid(ending) ? static_cast<RemoteOfferRejectReason>(ending)
                                                      : RemoteOfferRejectReason::kNone;
}

struct ToMessage {
  rpb::ReplicaMessage& message;
  absl::Time now;

  void operator()(const Presences& presences) const {
    rpb::Presences& all = *message.mutable_presences();
    for (const DriverPresence& presence : presences.drivers) {
      rpb::DriverPresence& proto = *all.add_drivers();
      proto.set_driver_id(presence.driver_id);
      proto.set_session_epoch(presence.session_epoch);
      proto.set_number(presence.number);
      proto.set_offerable(presence.offerable);
      proto.set_on_map_with_offer(presence.on_map && !presence.offerable);
      if (presence.car != nullptr) {
        proto.set_region_id(presence.car->region_id);
        for (const std::string& product_id : presence.car->product_ids) proto.add_product_ids(product_id);
        proto.set_seats(presence.car->seats);
      }
      if (!presence.fix.has_value()) continue;
      const Fix& fix = *presence.fix;
      type::v1::Position& position = *proto.mutable_position();
      position.mutable_location()->set_latitude_deg(fix.point.latitude_deg);
      position.mutable_location()->set_longitude_deg(fix.point.longitude_deg);
      if (fix.speed_mps.has_value()) position.set_speed_mps(*fix.speed_mps);
      if (fix.heading_deg.has_value()) position.set_heading_deg(*fix.heading_deg);
      if (fix.accuracy_m.has_value()) position.set_accuracy_m(*fix.accuracy_m);
      Encode(std::max(absl::ZeroDuration(), now - fix.observed), position.mutable_age());
      position.set_position_seq(fix.position_seq);
      proto.set_position_epoch(fix.session_epoch);
    }
  }
  void operator()(const SessionClaimed& claimed) const {
    message.mutable_session_claimed()->set_driver_id(claimed.driver_id);
    message.mutable_session_claimed()->set_epoch(claimed.epoch);
    message.mutable_session_claimed()->set_by_stream(claimed.by_stream);
  }
  void operator()(const RideStarted& started) const {
    message.mutable_ride_started()->set_ride_id(started.ride_id);
    message.mutable_ride_started()->set_epoch(started.epoch);
  }
  void operator()(const RemoteOfferRequest& ask) const {
    rpb::RemoteOfferRequest& proto = *message.mutable_offer_ask();
    proto.set_offer_id(ask.offer_id);
    proto.set_driver_id(ask.driver_id);
    if (ask.start->encoded != nullptr) proto.set_start(*ask.start->encoded);
    Encode(ask.remaining, proto.mutable_remaining());
    Encode(ask.ride_waited, proto.mutable_ride_waited());
    proto.set_repeated_ask(ask.repeated);
  }
  void operator()(const OfferWithdraw& withdraw) const {
    message.mutable_offer_withdraw()->set_offer_id(withdraw.offer_id);
    message.mutable_offer_withdraw()->set_reason(driver::ToProto(withdraw.reason));
  }
  void operator()(const RemoteOfferStatus& update) const {
    rpb::RemoteOfferStatus& proto = *message.mutable_offer_told();
    proto.set_offer_id(update.offer_id);
    proto.set_status(driver::ToProto(update.status));
    proto.set_reason(driver::ToProto(update.reason));
    proto.set_ending(static_cast<rpb::RemoteOfferRejectReason>(update.ending));
  }
};

// The epoch of a session, or of a ride's dispatch.
absl::Status CheckEpoch(std::int64_t epoch) {
  return epoch < 1 ? InvalidField("epoch", "must be at least 1") : absl::OkStatus();
}

Presences FromProto(const rpb::Presences& proto, absl::Time now) {
  Presences presences;
  for (const rpb::DriverPresence& seen : proto.drivers()) {
    DriverPresence presence;
    if (!CheckId(seen.driver_id(), "driver_id").ok() || seen.session_epoch() < 1) continue;
    presence.driver_id = seen.driver_id();
    presence.session_epoch = seen.session_epoch();
    presence.number = seen.number();
    presence.offerable = seen.offerable();
    presence.on_map = seen.offerable() || seen.on_map_with_offer();
    presence.car = std::make_shared<const CarProfile>(
        CarProfile{seen.region_id(), {seen.product_ids().begin(), seen.product_ids().end()}, seen.seats()});
    if (seen.has_position()) {
      absl::StatusOr<Fix> fix = driver::FromProto(seen.position(), seen.position_epoch(), now, "position");
      // Otherwise the fix is too old to find the driver by it.
      if (fix.ok()) presence.fix = *std::move(fix);
    }
    presences.drivers.push_back(std::move(presence));
  }
  return presences;
}

absl::StatusOr<RemoteOfferRequest> FromProto(const rpb::RemoteOfferRequest& proto) {
  internal::v1::StartDispatch start;
  if (!start.ParseFromString(proto.start())) return InvalidField("start", "is damaged");
  absl::StatusOr<DispatchStart> decoded = driver::FromProto(start);
  if (!decoded.ok()) return decoded.status();
  RemoteOfferRequest ask;
  ask.offer_id = proto.offer_id();
  if (absl::Status status = CheckId(ask.offer_id, "offer_id"); !status.ok()) return status;
  ask.driver_id = proto.driver_id();
  if (absl::Status status = CheckId(ask.driver_id, "driver_id"); !status.ok()) return status;
  ask.start = std::make_shared<const DispatchStart>(*std::move(decoded));
  ask.remaining = DecodeDuration(proto.remaining());
  ask.ride_waited = DecodeDuration(proto.ride_waited());
  for (const absl::Duration length : {ask.remaining, ask.ride_waited}) {
    if (length < absl::ZeroDuration() || length == absl::InfiniteDuration()) {
      return InvalidField("remaining", "must be lengths of time");
    }
  }
  ask.repeated = proto.repeated_ask();
  return ask;
}

absl::StatusOr<SessionClaimed> FromProto(const rpb::SessionClaimed& proto) {
  if (absl::Status status = CheckId(proto.driver_id(), "driver_id"); !status.ok()) return status;
  if (absl::Status status = CheckEpoch(proto.epoch()); !status.ok()) return status;
  return SessionClaimed{proto.driver_id(), proto.epoch(), proto.by_stream()};
}

absl::StatusOr<RideStarted> FromProto(const rpb::RideStarted& proto) {
  if (absl::Status status = CheckId(proto.ride_id(), "ride_id"); !status.ok()) return status;
  if (absl::Status status = CheckEpoch(proto.epoch()); !status.ok()) return status;
  return RideStarted{{proto.ride_id(), proto.epoch()}};
}

absl::StatusOr<OfferWithdraw> FromProto(const rpb::OfferWithdraw& proto) {
  if (absl::Status status = CheckId(proto.offer_id(), "offer_id"); !status.ok()) return status;
  return OfferWithdraw{proto.offer_id(), FromProto(proto.reason())};
}

absl::StatusOr<RemoteOfferStatus> FromProto(const rpb::RemoteOfferStatus& proto) {
  if (absl::Status status = CheckId(proto.offer_id(), "offer_id"); !status.ok()) return status;
  return RemoteOfferStatus{proto.offer_id(), FromProto(proto.status()), FromProto(proto.reason()),
                           FromProto(proto.ending())};
}

absl::StatusOr<ReplicaMessage> FromProto(const rpb::ReplicaMessage& proto, absl::Time now) {
  switch (proto.message_case()) {
    case rpb::ReplicaMessage::kPresences:
      return FromProto(proto.presences(), now);
    case rpb::ReplicaMessage::kSessionClaimed:
      return FromProto(proto.session_claimed());
    case rpb::ReplicaMessage::kRideStarted:
      return FromProto(proto.ride_started());
    case rpb::ReplicaMessage::kOfferAsk:
      return FromProto(proto.offer_ask());
    case rpb::ReplicaMessage::kOfferWithdraw:
      return FromProto(proto.offer_withdraw());
    case rpb::ReplicaMessage::kOfferTold:
      return FromProto(proto.offer_told());
    case rpb::ReplicaMessage::MESSAGE_NOT_SET:
      break;
  }
  return InvalidField("message", "is of an unknown kind");
}

}  // namespace

std::string ReplicaBytes(const std::string& from, const ReplicaMessage& message, absl::Time now) {
  rpb::ReplicaMessage proto;
  proto.set_from(from);
  std::visit(ToMessage{proto, now}, message);
  return proto.SerializeAsString();
}

absl::StatusOr<std::pair<std::string, ReplicaMessage>> ReplicaMessageFromBytes(std::string_view bytes, absl::Time now) {
  rpb::ReplicaMessage proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidField("", "is not a message of a replica");
  }
  if (absl::Status status = CheckId(proto.from(), "from"); !status.ok()) return status;
  absl::StatusOr<ReplicaMessage> message = FromProto(proto, now);
  if (!message.ok()) return message.status();
  return std::pair(proto.from(), *std::move(message));
}

}  // namespace hail::driver
