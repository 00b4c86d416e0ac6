#include "driver-service/codec/replica_codec.h"

#include <algorithm>
#include <memory>
#include <variant>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/codec/replica.pb.h"
#include "driver-service/codec/ride_codec.h"

namespace hail::driver {
namespace {

namespace rpb = replica::v1;

// The enums of replica.proto number the domain's, from 1 on where 0 is "unspecified".
static_assert(static_cast<int>(OfferStatus::kRevoked) + 1 == rpb::OFFER_STATUS_REVOKED);
static_assert(static_cast<int>(RevokeReason::kWentOffline) == rpb::REVOKE_REASON_WENT_OFFLINE);
static_assert(static_cast<int>(AskEnding::kDispatchOver) == rpb::ASK_ENDING_DISPATCH_OVER);

rpb::OfferStatus ToProto(OfferStatus status) { return static_cast<rpb::OfferStatus>(static_cast<int>(status) + 1); }
rpb::RevokeReason ToProto(RevokeReason reason) { return static_cast<rpb::RevokeReason>(static_cast<int>(reason)); }
rpb::AskEnding ToProto(AskEnding ending) { return static_cast<rpb::AskEnding>(static_cast<int>(ending)); }

// What a later version may say is the least that it can mean.
RevokeReason FromProto(rpb::RevokeReason reason) {
  return rpb::RevokeReason_IsValid(reason) ? static_cast<RevokeReason>(reason) : RevokeReason::kSuperseded;
}
AskEnding FromProto(rpb::AskEnding ending) {
  return rpb::AskEnding_IsValid(ending) ? static_cast<AskEnding>(ending) : AskEnding::kNone;
}
OfferStatus FromProto(rpb::OfferStatus status) {
  return rpb::OfferStatus_IsValid(status) && status != rpb::OFFER_STATUS_UNSPECIFIED
             ? static_cast<OfferStatus>(static_cast<int>(status) - 1)
             : OfferStatus::kRevoked;
}

struct ToMessage {
  rpb::ReplicaMessage& message;
  absl::Time now;

  void operator()(const Sightings& sightings) const {
    for (const Sighting& sighting : sightings.drivers) {
      rpb::Sighting& proto = *message.mutable_sightings()->add_drivers();
      proto.set_driver_id(sighting.driver_id);
      proto.set_session_epoch(sighting.session_epoch);
      proto.set_number(sighting.number);
      proto.set_offerable(sighting.offerable);
      if (sighting.car != nullptr) {
        proto.set_region_id(sighting.car->region_id);
        for (const std::string& product_id : sighting.car->product_ids) proto.add_product_ids(product_id);
        proto.set_seats(sighting.car->seats);
      }
      if (!sighting.fix.has_value()) continue;
      const Fix& fix = *sighting.fix;
      type::v1::Position& position = *proto.mutable_position();
      position.mutable_location()->set_latitude_deg(fix.point.latitude_deg);
      position.mutable_location()->set_longitude_deg(fix.point.longitude_deg);
      if (fix.speed_mps.has_value()) position.set_speed_mps(*fix.speed_mps);
      if (fix.heading_deg.has_value()) position.set_heading_deg(*fix.heading_deg);
      if (fix.accuracy_m.has_value()) position.set_accuracy_m(*fix.accuracy_m);
      *position.mutable_age() = driver::ToProto(std::max(absl::ZeroDuration(), now - fix.observed));
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
  void operator()(const OfferAsk& ask) const {
    rpb::OfferAsk& proto = *message.mutable_offer_ask();
    proto.set_offer_id(ask.offer_id);
    proto.set_driver_id(ask.driver_id);
    if (ask.start->encoded != nullptr) proto.set_start(*ask.start->encoded);
    *proto.mutable_remaining() = driver::ToProto(ask.remaining);
    *proto.mutable_ride_waited() = driver::ToProto(ask.ride_waited);
    proto.set_repeated_ask(ask.repeated);
  }
  void operator()(const OfferWithdraw& withdraw) const {
    message.mutable_offer_withdraw()->set_offer_id(withdraw.offer_id);
    message.mutable_offer_withdraw()->set_reason(ToProto(withdraw.reason));
  }
  void operator()(const OfferTold& told) const {
    rpb::OfferTold& proto = *message.mutable_offer_told();
    proto.set_offer_id(told.offer_id);
    proto.set_status(ToProto(told.status));
    proto.set_reason(ToProto(told.reason));
    proto.set_ending(ToProto(told.ending));
  }
};

Sightings FromProto(const rpb::Sightings& proto, absl::Time now) {
  Sightings sightings;
  for (const rpb::Sighting& seen : proto.drivers()) {
    Sighting sighting;
    if (!CheckId(seen.driver_id(), "driver_id").ok()) continue;
    sighting.driver_id = seen.driver_id();
    sighting.session_epoch = seen.session_epoch();
    sighting.number = seen.number();
    sighting.offerable = seen.offerable();
    sighting.car = std::make_shared<const CarProfile>(
        CarProfile{seen.region_id(), {seen.product_ids().begin(), seen.product_ids().end()}, seen.seats()});
    if (seen.has_position()) {
      absl::StatusOr<Fix> fix = driver::FromProto(seen.position(), seen.position_epoch(), now, "position");
      // Days old, after all: the driver cannot be found by it.
      if (fix.ok()) sighting.fix = *std::move(fix);
    }
    sightings.drivers.push_back(std::move(sighting));
  }
  return sightings;
}

absl::StatusOr<OfferAsk> FromProto(const rpb::OfferAsk& proto) {
  internal::v1::StartDispatch start;
  if (!start.ParseFromString(proto.start())) return InvalidField("start", "is damaged");
  absl::StatusOr<DispatchStart> decoded = driver::FromProto(start);
  if (!decoded.ok()) return decoded.status();
  OfferAsk ask;
  ask.offer_id = proto.offer_id();
  if (absl::Status status = CheckId(ask.offer_id, "offer_id"); !status.ok()) return status;
  ask.driver_id = proto.driver_id();
  ask.start = std::make_shared<const DispatchStart>(*std::move(decoded));
  ask.remaining = driver::FromProto(proto.remaining());
  ask.ride_waited = driver::FromProto(proto.ride_waited());
  ask.repeated = proto.repeated_ask();
  return ask;
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
    return InvalidField("", "is no message of a replica");
  }
  const std::string& from = proto.from();
  if (absl::Status status = CheckId(from, "from"); !status.ok()) return status;
  switch (proto.message_case()) {
    case rpb::ReplicaMessage::kSightings:
      return std::pair<std::string, ReplicaMessage>(from, FromProto(proto.sightings(), now));
    case rpb::ReplicaMessage::kSessionClaimed:
      return std::pair<std::string, ReplicaMessage>(
          from, SessionClaimed{proto.session_claimed().driver_id(), proto.session_claimed().epoch(),
                               proto.session_claimed().by_stream()});
    case rpb::ReplicaMessage::kRideStarted:
      return std::pair<std::string, ReplicaMessage>(
          from, RideStarted{{proto.ride_started().ride_id(), proto.ride_started().epoch()}});
    case rpb::ReplicaMessage::kOfferAsk: {
      absl::StatusOr<OfferAsk> ask = FromProto(proto.offer_ask());
      if (!ask.ok()) return ask.status();
      return std::pair<std::string, ReplicaMessage>(from, *std::move(ask));
    }
    case rpb::ReplicaMessage::kOfferWithdraw:
      return std::pair<std::string, ReplicaMessage>(
          from, OfferWithdraw{proto.offer_withdraw().offer_id(), FromProto(proto.offer_withdraw().reason())});
    case rpb::ReplicaMessage::kOfferTold: {
      const rpb::OfferTold& told = proto.offer_told();
      return std::pair<std::string, ReplicaMessage>(
          from,
          OfferTold{told.offer_id(), FromProto(told.status()), FromProto(told.reason()), FromProto(told.ending())});
    }
    case rpb::ReplicaMessage::MESSAGE_NOT_SET:
      break;
  }
  return InvalidField("message", "is of a kind not known here");
}

}  // namespace hail::driver
