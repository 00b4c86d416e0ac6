#include "driver-service/codec/driver_codec.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/proto/time.h"
#include "driver-service/codec/ride_codec.h"
#include "driver-service/domain/position_rules.h"
#include "hail/internal/v1/dispatch_service.pb.h"

namespace hail::driver {
namespace {

v1::DriverStatus StatusProto(DriverStatus status) {
  switch (status) {
    case DriverStatus::kOffline:
      return v1::DRIVER_STATUS_OFFLINE;
    case DriverStatus::kAvailable:
      return v1::DRIVER_STATUS_AVAILABLE;
    case DriverStatus::kOffered:
      return v1::DRIVER_STATUS_OFFERED;
    case DriverStatus::kReserved:
      return v1::DRIVER_STATUS_RESERVED;
    case DriverStatus::kOnTrip:
      return v1::DRIVER_STATUS_ON_TRIP;
  }
  return v1::DRIVER_STATUS_UNSPECIFIED;
}

v1::BlockedBy BlockedProto(BlockedBy blocked_by) {
  switch (blocked_by) {
    case BlockedBy::kNothing:
      return v1::BLOCKED_BY_UNSPECIFIED;
    case BlockedBy::kStalePosition:
      return v1::BLOCKED_BY_STALE_POSITION;
    case BlockedBy::kNotSynced:
      return v1::BLOCKED_BY_NOT_SYNCED;
    case BlockedBy::kNotConnected:
      return v1::BLOCKED_BY_NOT_CONNECTED;
  }
  return v1::BLOCKED_BY_UNSPECIFIED;
}

// One stream message for each kind of message from the core.
struct StreamMessage {
  v1::StreamDriverResponse response;

  void operator()(const Snapshot& snapshot) { *response.mutable_snapshot() = ToProto(snapshot.state); }
  void operator()(const RideEventView& event) { *response.mutable_event() = ToProto(event); }
  void operator()(const OfferView& offer) { *response.mutable_offer() = ToProto(offer); }
  void operator()(const OfferUpdate& update) { *response.mutable_offer_update() = ToProto(update); }
  void operator()(const CaughtUp& caught_up) { response.mutable_caught_up()->set_sequence(caught_up.sequence); }
  void operator()(const Reset&) {
    response.mutable_start_over()->set_message("the cursor is not of a ride of this driver");
  }
  void operator()(const Replaced&) { response.mutable_replaced(); }
  // Ends the stream without a message.
  void operator()(const Moved&) {}
  void operator()(const StateChanged& changed) { *response.mutable_state() = ToProto(changed.state); }
};

}  // namespace

v1::OfferStatus ToProto(OfferStatus status) {
  switch (status) {
    case OfferStatus::kPending:
      return v1::OFFER_STATUS_PENDING;
    case OfferStatus::kConfirming:
      return v1::OFFER_STATUS_CONFIRMING;
    case OfferStatus::kAccepted:
      return v1::OFFER_STATUS_ACCEPTED;
    case OfferStatus::kDeclined:
      return v1::OFFER_STATUS_DECLINED;
    case OfferStatus::kExpired:
      return v1::OFFER_STATUS_EXPIRED;
    case OfferStatus::kRevoked:
      return v1::OFFER_STATUS_REVOKED;
  }
  return v1::OFFER_STATUS_UNSPECIFIED;
}

v1::OfferRevokeReason ToProto(RevokeReason reason) {
  switch (reason) {
    case RevokeReason::kNone:
      return v1::OFFER_REVOKE_REASON_UNSPECIFIED;
    case RevokeReason::kTaken:
      return v1::OFFER_REVOKE_REASON_TAKEN;
    case RevokeReason::kRideCanceled:
      return v1::OFFER_REVOKE_REASON_RIDE_CANCELED;
    case RevokeReason::kSuperseded:
      return v1::OFFER_REVOKE_REASON_SUPERSEDED;
    case RevokeReason::kWentOffline:
      return v1::OFFER_REVOKE_REASON_WENT_OFFLINE;
  }
  return v1::OFFER_REVOKE_REASON_UNSPECIFIED;
}

v1::Driver ToProto(const Driver& driver) {
  v1::Driver proto;
  proto.set_driver_id(driver.driver_id);
  proto.set_display_name(driver.display_name);
  proto.set_region_id(driver.region_id);
  proto.mutable_vehicle()->set_make(driver.vehicle.make);
  proto.mutable_vehicle()->set_model(driver.vehicle.model);
  proto.mutable_vehicle()->set_color(driver.vehicle.color);
  proto.mutable_vehicle()->set_plate(driver.vehicle.plate);
  proto.mutable_vehicle()->set_seats(driver.vehicle.seats);
  for (const std::string& product_id : driver.product_ids) proto.add_product_ids(product_id);
  Encode(driver.create_time, proto.mutable_create_time());
  Encode(driver.update_time, proto.mutable_update_time());
  return proto;
}

Driver FromProto(const v1::Driver& proto) {
  Driver driver;
  driver.driver_id = proto.driver_id();
  driver.display_name = proto.display_name();
  driver.region_id = proto.region_id();
  driver.vehicle = {proto.vehicle().make(), proto.vehicle().model(), proto.vehicle().color(), proto.vehicle().plate(),
                    proto.vehicle().seats()};
  driver.product_ids.assign(proto.product_ids().begin(), proto.product_ids().end());
  return driver;
}

absl::StatusOr<Driver> Updated(const Driver& known, const v1::UpdateDriverRequest& request) {
  static constexpr std::string_view kPaths[] = {"display_name", "region_id", "vehicle", "product_ids", "*"};
  const auto& paths = request.update_mask().paths();
  for (int i = 0; i < paths.size(); ++i) {
    if (std::find(std::begin(kPaths), std::end(kPaths), paths[i]) == std::end(kPaths)) {
      return InvalidField(absl::StrCat("update_mask.paths[", i, "]"),
                          "must be display_name, region_id, vehicle or product_ids");
    }
  }
  const auto named = [&paths](std::string_view field, bool is_set) {
    if (paths.empty()) return is_set;
    return std::any_of(paths.begin(), paths.end(), [&](const auto& path) { return path == field || path == "*"; });
  };
  Driver driver = known;
  const Driver given = FromProto(request.driver());
  if (named("display_name", !given.display_name.empty())) driver.display_name = given.display_name;
  if (named("region_id", !given.region_id.empty())) driver.region_id = given.region_id;
  if (named("vehicle", request.driver().has_vehicle())) driver.vehicle = given.vehicle;
  if (named("product_ids", !given.product_ids.empty())) driver.product_ids = given.product_ids;
  if (absl::Status status = CheckDriver(driver, "driver"); !status.ok()) return status;
  return driver;
}

v1::Availability ToProto(Availability availability) {
  return availability == Availability::kOnline ? v1::AVAILABILITY_ONLINE : v1::AVAILABILITY_OFFLINE;
}

absl::StatusOr<Availability> FromProto(v1::Availability availability) {
  switch (availability) {
    case v1::AVAILABILITY_ONLINE:
      return Availability::kOnline;
    case v1::AVAILABILITY_OFFLINE:
      return Availability::kOffline;
    default:
      return InvalidField("availability", "must be ONLINE or OFFLINE");
  }
}

v1::DriverState ToProto(const DriverState& state) {
  v1::DriverState proto;
  proto.set_driver_id(state.driver_id);
  proto.set_status(StatusProto(state.status));
  proto.set_availability(ToProto(state.availability));
  proto.set_blocked_by(BlockedProto(state.blocked_by));
  if (state.offer.has_value()) *proto.mutable_offer() = ToProto(*state.offer);
  if (state.ride != nullptr) *proto.mutable_ride() = ToProto(*state.ride);
  proto.set_session_epoch(state.session_epoch);
  proto.set_revision(state.revision);
  return proto;
}

v1::Offer ToProto(const OfferView& offer) {
  internal::v1::StartDispatch start;
  if (offer.start->encoded != nullptr) start.ParseFromString(*offer.start->encoded);
  // Passed on unchanged from rider-service.
  v1::Offer proto = std::move(*start.mutable_offer());
  proto.set_offer_id(offer.offer_id);
  proto.set_ride_id(offer.start->ride_id);
  proto.set_epoch(offer.start->epoch);
  Encode(offer.remaining, proto.mutable_remaining());
  proto.mutable_pickup()->Swap(start.mutable_pickup());
  proto.mutable_dropoff()->Swap(start.mutable_dropoff());
  proto.set_product_id(start.product_id());
  proto.set_seats(start.seats());
  proto.mutable_fare()->Swap(start.mutable_fare());
  Encode(offer.pickup_eta, proto.mutable_pickup_eta());
  proto.set_pickup_distance_m(offer.pickup_distance_m);
  proto.mutable_trip_duration()->Swap(start.mutable_trip_duration());
  proto.set_trip_distance_m(start.trip_distance_m());
  proto.set_status(ToProto(offer.status));
  return proto;
}

v1::OfferUpdate ToProto(const OfferUpdate& update) {
  v1::OfferUpdate proto;
  proto.set_offer_id(update.offer_id);
  proto.set_ride_id(update.ride_id);
  proto.set_status(ToProto(update.status));
  proto.set_reason(ToProto(update.reason));
  return proto;
}

v1::StreamDriverResponse ToProto(const DriverMessage& message) {
  StreamMessage to;
  std::visit(to, message);
  return std::move(to.response);
}

absl::StatusOr<Fix> FromProto(const type::v1::Position& position, std::int64_t session_epoch, absl::Time received,
                              const std::string& field) {
  Fix fix;
  fix.point = {position.location().latitude_deg(), position.location().longitude_deg()};
  fix.session_epoch = session_epoch;
  fix.position_seq = position.position_seq();
  if (position.has_speed_mps()) fix.speed_mps = position.speed_mps();
  if (position.has_heading_deg()) fix.heading_deg = position.heading_deg();
  if (position.has_accuracy_m()) fix.accuracy_m = position.accuracy_m();
  const absl::Duration age = DecodeDuration(position.age());
  if (absl::Status s = CheckFix(fix, age, field); !s.ok()) return s;
  fix.observed = received - age;
  return fix;
}

v1::UpdateLocationResponse ToProto(const PositionTally& tally) {
  v1::UpdateLocationResponse proto;
  proto.set_accepted(tally.taken);
  const auto add = [&proto](v1::PositionLeftOutReason reason, int count) {
    if (count == 0) return;
    v1::PositionsLeftOut& left_out = *proto.add_left_out();
    left_out.set_reason(reason);
    left_out.set_count(count);
  };
  add(v1::POSITION_LEFT_OUT_REASON_OLDER, tally.older);
  add(v1::POSITION_LEFT_OUT_REASON_TOO_FAR, tally.too_far);
  add(v1::POSITION_LEFT_OUT_REASON_IMPOSSIBLE, tally.impossible);
  add(v1::POSITION_LEFT_OUT_REASON_INACCURATE, tally.inaccurate);
  return proto;
}

absl::StatusOr<std::optional<RideCursor>> FromProto(const v1::OpenSession& open) {
  if (!open.has_cursor() || (open.cursor().ride_id().empty() && open.cursor().sequence() == 0)) return std::nullopt;
  if (absl::Status s = CheckId(open.cursor().ride_id(), "cursor.ride_id"); !s.ok()) return s;
  if (open.cursor().sequence() < 0) return InvalidField("cursor.sequence", "must not be negative");
  return RideCursor{open.cursor().ride_id(), open.cursor().sequence()};
}

}  // namespace hail::driver
