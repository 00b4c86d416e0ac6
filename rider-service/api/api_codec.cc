#include "rider-service/api/api_codec.h"

#include <utility>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/money/currency.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

// A car this far away is never offered a ride.
constexpr absl::Duration kMaxPickupEta = absl::Hours(24);

// A rate may be finer than the currency's smallest unit; apps get the nearest amount of the currency. Fares use the
// exact rate.
Money Shown(const Money& rate) {
  const std::int64_t unit = SmallestUnitMicros(rate.currency_code).value_or(1);
  return {rate.currency_code, RoundedTo(unit, static_cast<double>(rate.micros))};
}

absl::StatusOr<TripAction> DecodeAction(const hail::driver::v1::AdvanceTripRequest& command) {
  using Command = hail::driver::v1::AdvanceTripRequest;
  switch (command.action_case()) {
    case Command::kSeen:
      return trip::Seen{};
    case Command::kArrive:
      return trip::Arrive{};
    case Command::kStart:
      return trip::Start{};
    case Command::kComplete:
      return trip::Complete{};
    case Command::kWait: {
      const hail::type::v1::WaitReason reason = command.wait().reason();
      return trip::Wait{hail::type::v1::WaitReason_IsValid(reason) ? reason : hail::type::v1::WAIT_REASON_UNSPECIFIED};
    }
    case Command::kCancel:
      return trip::Cancel{DecodeReason(command.cancel().reason()), command.cancel().note()};
    case Command::ACTION_NOT_SET:
      break;
  }
  // driver-service has checked that there is a command, so a newer version knows it.
  return Unavailable(Reason::kPeerUnavailable, "this replica does not know the command yet; retry");
}

// A driver-service of the previous version sends only the step.
absl::StatusOr<TripAction> DecodeActionOfEarlierVersion(const hail::internal::v1::RecordTripEventRequest& request) {
  switch (request.step()) {
    case hail::internal::v1::TRIP_STEP_SEEN:
      return trip::Seen{};
    case hail::internal::v1::TRIP_STEP_ARRIVE:
      return trip::Arrive{};
    case hail::internal::v1::TRIP_STEP_START:
      return trip::Start{};
    case hail::internal::v1::TRIP_STEP_COMPLETE:
      return trip::Complete{};
    case hail::internal::v1::TRIP_STEP_CANCEL:
      return trip::Cancel{DecodeReason(request.reason()), request.note()};
    default:
      return InvalidField("step", "is not a step of a driver");
  }
}

}  // namespace

void Encode(const Product& product, hail::rider::v1::Product* out) {
  out->set_product_id(product.product_id);
  out->set_region_id(product.region_id);
  out->set_display_name(product.display_name);
  out->set_max_seats(product.max_seats);
  Encode(product.base_fare, out->mutable_base_fare());
  Encode(Shown(product.per_km), out->mutable_per_km());
  Encode(Shown(product.per_minute), out->mutable_per_minute());
  Encode(product.minimum_fare, out->mutable_minimum_fare());
  Encode(product.cancellation_fee, out->mutable_cancellation_fee());
  Encode(product.free_cancellation, out->mutable_free_cancellation());
}

void Encode(const SignedQuote& held, hail::rider::v1::Quote* out) {
  const Quote& quote = held.quote;
  out->set_quote_id(quote.quote_id());
  out->set_quote_token(held.token);
  out->set_product_id(quote.product_id());
  out->set_region_id(quote.region_id());
  Encode(FareOf(quote), out->mutable_fare());
  out->set_distance_m(quote.distance_m());
  Encode(TripDurationOf(quote), out->mutable_trip_duration());
  Encode(ExpireTimeOf(quote), out->mutable_expire_time());
}

RideRequest AsRequest(const hail::rider::v1::QuoteRideRequest& quote) {
  RideRequest request;
  request.set_rider_id(quote.rider_id());
  if (quote.has_pickup()) *request.mutable_pickup() = quote.pickup();
  if (quote.has_dropoff()) *request.mutable_dropoff() = quote.dropoff();
  request.set_product_id(quote.product_id());
  request.set_seats(quote.seats());
  return request;
}

absl::StatusOr<LatLng> DecodePosition(bool present, const hail::type::v1::LatLng& position) {
  if (!present) return InvalidField("position", "is required");
  const LatLng point = DecodeLatLng(position);
  if (const absl::Status status = CheckLatLng(point, "position"); !status.ok()) return status;
  return point;
}

absl::StatusOr<AcceptedOffer> DecodeAssignment(const hail::internal::v1::ConfirmAssignmentRequest& request) {
  if (request.epoch() < 1) return InvalidField("epoch", "must be at least 1");
  AcceptedOffer assignment;
  assignment.epoch = request.epoch();
  assignment.driver = request.driver();
  assignment.offer_id = request.offer_id();
  if (request.has_pickup_eta()) {
    assignment.pickup_eta = DecodeDuration(request.pickup_eta());
    if (*assignment.pickup_eta < absl::ZeroDuration() || *assignment.pickup_eta > kMaxPickupEta) {
      return InvalidField("pickup_eta", "must be from 0 to 24 hours");
    }
  }
  return assignment;
}

absl::StatusOr<DriverCommand> DecodeCommand(const hail::internal::v1::RecordTripEventRequest& request) {
  absl::StatusOr<TripAction> action =
      request.has_command() ? DecodeAction(request.command()) : DecodeActionOfEarlierVersion(request);
  if (!action.ok()) return action.status();
  return DriverCommand{request.driver_id(), request.epoch(), request.leg(), *std::move(action)};
}

absl::StatusOr<Resolution> DecodeResolution(hail::internal::v1::Resolution resolution) {
  switch (resolution) {
    case hail::internal::v1::RESOLUTION_COMPLETE:
      return Resolution::kComplete;
    case hail::internal::v1::RESOLUTION_CANCEL:
      return Resolution::kCancel;
    default:
      return InvalidField("resolution", "must be COMPLETE or CANCEL");
  }
}

std::optional<Cursor> DecodeCursor(const hail::internal::v1::SubscribeDriver& subscribe) {
  if (!subscribe.has_cursor() || subscribe.cursor().ride_id().empty()) return std::nullopt;
  return Cursor{subscribe.cursor().ride_id(), subscribe.cursor().sequence()};
}

void EncodeSnapshot(const std::string& driver_id, std::int64_t subscription, const DriverCatchUp& snapshot,
                    hail::internal::v1::DriverSnapshot* out) {
  out->set_driver_id(driver_id);
  out->set_subscription(subscription);
  for (const RideEvent& event : snapshot.missed) Encode(event, out->add_missed());
  out->set_reset(snapshot.reset);
  if (snapshot.ride) Encode(*snapshot.ride, out->mutable_ride());
}

void EncodeDriverEvent(const std::string& driver_id, std::int64_t subscription, const RideEvent& event,
                       hail::internal::v1::DriverEvent* out) {
  out->set_driver_id(driver_id);
  out->set_subscription(subscription);
  Encode(event, out->mutable_event());
  out->set_ended(event.ended());
}

void Encode(const DispatchScheduler::Start& start, hail::internal::v1::StartDispatch* out) {
  // A driver who is offered the ride may read what its driver may read.
  hail::type::v1::Ride ride;
  Encode(RideForDriver(*start.ride), &ride);
  out->set_ride_id(ride.ride_id());
  out->set_epoch(ride.epoch());
  out->set_region_id(ride.region_id());
  out->set_product_id(ride.product_id());
  out->set_seats(ride.seats());
  out->mutable_pickup()->Swap(ride.mutable_pickup());
  out->mutable_dropoff()->Swap(ride.mutable_dropoff());
  out->mutable_fare()->Swap(ride.mutable_fare()->mutable_quoted());
  out->set_trip_distance_m(ride.distance_m());
  out->mutable_trip_duration()->Swap(ride.mutable_trip_duration());
  out->mutable_offer()->set_rider_display_name(ride.rider_display_name());
  Encode(start.remaining, out->mutable_remaining());
  Encode(start.offer_time, out->mutable_offer_time());
  for (const std::string& driver_id : start.excluded_driver_ids) out->add_excluded_driver_ids(driver_id);
}

hail::internal::v1::StopReason EncodeStopReason(DispatchScheduler::StopReason reason) {
  switch (reason) {
    case DispatchScheduler::StopReason::kRideCanceled:
      return hail::internal::v1::STOP_REASON_RIDE_CANCELED;
    case DispatchScheduler::StopReason::kTaken:
      return hail::internal::v1::STOP_REASON_TAKEN;
    case DispatchScheduler::StopReason::kSuperseded:
      return hail::internal::v1::STOP_REASON_SUPERSEDED;
  }
  return hail::internal::v1::STOP_REASON_UNSPECIFIED;
}

}  // namespace hail::rider
