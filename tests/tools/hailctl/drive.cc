#include "tests/tools/hailctl/drive.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "absl/time/clock.h"
#include "common/ids/uuid.h"
#include "common/proto/time.h"
#include "tests/tools/hailctl/format.h"
#include "tests/tools/hailctl/outcome.h"
#include "tests/tools/hailctl/show.h"

namespace hail::ctl {
namespace {

namespace driver = hail::driver::v1;
using hail::type::v1::Ride;

// The car has arrived if it is this close.
constexpr double kArrivedM = 15;

LatLng ToPoint(const hail::type::v1::LatLng& point) { return {point.latitude_deg(), point.longitude_deg()}; }

// Initial great-circle bearing, degrees clockwise from north, [0, 360).
double BearingDeg(const LatLng& from, const LatLng& to) {
  constexpr double kRadian = std::numbers::pi / 180;
  const double longitude = (to.longitude_deg - from.longitude_deg) * kRadian;
  const double from_latitude = from.latitude_deg * kRadian;
  const double to_latitude = to.latitude_deg * kRadian;
  const double y = std::sin(longitude) * std::cos(to_latitude);
  const double x = std::cos(from_latitude) * std::sin(to_latitude) -
                   std::sin(from_latitude) * std::cos(to_latitude) * std::cos(longitude);
  return std::fmod(std::atan2(y, x) / kRadian + 360, 360);
}

bool Ends(hail::type::v1::RideEventType type) {
  return type == hail::type::v1::RIDE_EVENT_TYPE_COMPLETED || type == hail::type::v1::RIDE_EVENT_TYPE_CANCELED ||
         type == hail::type::v1::RIDE_EVENT_TYPE_REDISPATCHED;
}

}  // namespace

DriveSession::DriveSession(DriveOptions options, Say say)
    : options_(std::move(options)),
      say_(std::move(say)),
      incarnation_id_(UuidV7(absl::Now(), SystemRandom())),
      position_(options_.start) {}

DriveSession::Requests DriveSession::Open(absl::Time now) {
  pending_step_.clear();
  // Without a stream the car stood still.
  moved_ = now;
  Requests requests(1);
  driver::OpenSession& open = *requests.back().mutable_open();
  open.set_driver_id(options_.driver_id);
  open.set_incarnation_id(incarnation_id_);
  open.set_opening(++openings_);
  if (cursor_.sequence() > 0) *open.mutable_cursor() = cursor_;
  requests.push_back(Command());
  requests.back().mutable_set_availability()->set_availability(driver::AVAILABILITY_ONLINE);
  ++position_seq_;
  requests.push_back(Location());
  return requests;
}

DriveSession::Requests DriveSession::GoOffline() {
  Requests requests(1, Command());
  requests.back().mutable_set_availability()->set_availability(driver::AVAILABILITY_OFFLINE);
  return requests;
}

DriveSession::Requests DriveSession::OnMessage(const driver::StreamDriverResponse& message, absl::Time now) {
  using Response = driver::StreamDriverResponse;
  Requests requests;
  switch (message.message_case()) {
    case Response::kSnapshot: {
      const driver::DriverState& state = message.snapshot();
      ride_.reset();
      if (state.has_ride()) {
        cursor_.set_ride_id(state.ride().ride_id());
        cursor_.set_sequence(state.ride().sequence());
        OnRide(state.ride(), now);
      }
      SayStatus(state);
      if (state.has_offer() && state.offer().status() == driver::OFFER_STATUS_PENDING) OnOffer(state.offer(), requests);
      break;
    }
    case Response::kEvent: {
      const hail::type::v1::RideEvent& event = message.event();
      cursor_.set_ride_id(event.ride_id());
      cursor_.set_sequence(event.sequence());
      say_(EventLine(event));
      if (Ends(event.type())) {
        if (event.type() == hail::type::v1::RIDE_EVENT_TYPE_COMPLETED) ++completed_;
        if (ride_.has_value() && ride_->ride_id() == event.ride_id()) ride_.reset();
      } else {
        OnRide(event.ride(), now);
      }
      break;
    }
    case Response::kOffer:
      OnOffer(message.offer(), requests);
      break;
    case Response::kOfferUpdate: {
      const driver::OfferUpdate& update = message.offer_update();
      say_("offer " + update.offer_id() + " " + Word(update.status()) +
           (update.status() == driver::OFFER_STATUS_REVOKED ? ": " + Word(update.reason()) : ""));
      break;
    }
    case Response::kCommandResult: {
      const driver::CommandResult& result = message.command_result();
      if (result.command_id() == pending_step_) {
        pending_step_.clear();
        // The event follows or came before; until then the answer shows the ride's state.
        if (ride_.has_value() && result.state().ride().ride_id() == ride_->ride_id() &&
            result.state().ride().sequence() > ride_->sequence()) {
          OnRide(result.state().ride(), now);
        }
      }
      if (result.status().code() == 0) {
        SayChange(result.state());
      } else {
        const Failure failure = FailureOf(result.status());
        say_("refused: " + failure.message + (failure.reason.empty() ? "" : " [" + failure.reason + "]"));
        // The assignment is over; the event may have come on an earlier stream.
        if (failure.reason == "ASSIGNMENT_ENDED" && !result.state().has_ride()) ride_.reset();
      }
      break;
    }
    case Response::kLocationResult:
      say_("positions left out: " + LeftOutText(message.location_result()));
      break;
    case Response::kState:
      SayChange(message.state());
      break;
    case Response::kStartOver:
      cursor_.Clear();
      say_("starting over: " + message.start_over().message());
      break;
    case Response::kDraining:
      retry_after_ = DecodeDuration(message.draining().retry_after());
      say_("the server is going away; connecting again");
      break;
    case Response::kReplaced:
      replaced_ = true;
      say_("another stream of this driver took over");
      break;
    default:
      break;
  }
  return requests;
}

DriveSession::Requests DriveSession::OnTick(absl::Time now) {
  const double seconds = moved_.has_value() ? std::max(0.0, absl::ToDoubleSeconds(now - *moved_)) : 0;
  moved_ = now;
  const std::optional<LatLng> target = Target();
  if (options_.accept && target.has_value()) {
    const double left = DistanceM(position_, *target);
    const double step = options_.speed_mps * seconds;
    const double bearing = BearingDeg(position_, *target);
    // The range [0, 360) must hold for float, too: a double just below 360 rounds up to 360.
    heading_deg_ = static_cast<float>(bearing) < 360 ? static_cast<float>(bearing) : 0;
    position_ = step >= left ? *target : Toward(position_, bearing, step);
  }
  ++position_seq_;
  Requests requests(1, Location());
  AddDueStep(now, requests);
  return requests;
}

std::optional<absl::Duration> DriveSession::TakeRetryAfter() { return std::exchange(retry_after_, std::nullopt); }

driver::StreamDriverRequest DriveSession::Command() {
  driver::StreamDriverRequest request;
  request.set_command_id(std::to_string(++last_command_));
  return request;
}

driver::StreamDriverRequest DriveSession::Step(absl::Time now) {
  driver::StreamDriverRequest request = Command();
  driver::AdvanceTripRequest& advance = *request.mutable_advance_trip();
  advance.set_ride_id(ride_->ride_id());
  advance.set_epoch(ride_->epoch());
  advance.set_leg(ride_->leg());
  // Without --accept another program or person sends the steps; this command still reports that the assignment is
  // shown.
  const bool there = options_.accept && Target().has_value() && DistanceM(position_, *Target()) <= kArrivedM;
  switch (ride_->state()) {
    case hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP:
      if (!ride_->has_seen_time()) {
        advance.mutable_seen();
      } else if (there) {
        advance.mutable_arrive();
      }
      break;
    case hail::type::v1::RIDE_STATE_ARRIVED_AT_PICKUP:
      if (options_.accept && now - state_since_ >= options_.boarding) advance.mutable_start();
      break;
    case hail::type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF:
      if (there) advance.mutable_complete();
      break;
    default:
      break;
  }
  return request;
}

driver::StreamDriverRequest DriveSession::Location() const {
  driver::StreamDriverRequest request;
  hail::type::v1::Position& position = *request.mutable_location()->add_positions();
  position.mutable_location()->set_latitude_deg(position_.latitude_deg);
  position.mutable_location()->set_longitude_deg(position_.longitude_deg);
  position.set_position_seq(position_seq_);
  position.mutable_age();
  const bool moving = options_.accept && Target().has_value() && DistanceM(position_, *Target()) > kArrivedM;
  position.set_speed_mps(moving ? static_cast<float>(options_.speed_mps) : 0);
  position.set_heading_deg(heading_deg_);
  return request;
}

void DriveSession::SayChange(const driver::DriverState& state) {
  if (state.status() != said_status_ || state.blocked_by() != said_blocked_by_) SayStatus(state);
}

void DriveSession::SayStatus(const driver::DriverState& state) {
  said_status_ = state.status();
  said_blocked_by_ = state.blocked_by();
  say_("now: " + Word(state.status()) +
       (state.blocked_by() == driver::BLOCKED_BY_UNSPECIFIED ? "" : ", " + Word(state.blocked_by())) +
       (state.has_ride() ? ", ride " + state.ride().ride_id() + " " + Word(state.ride().state()) : ""));
}

void DriveSession::OnOffer(const driver::Offer& offer, Requests& requests) {
  say_("offer " + OfferLine(offer));
  requests.emplace_back();
  requests.back().mutable_offer_received()->set_offer_id(offer.offer_id());
  if (!options_.accept) {
    say_("answer with: hailctl driver respond " + options_.driver_id + " " + offer.offer_id() + " accept");
    return;
  }
  requests.push_back(Command());
  requests.back().mutable_respond_to_offer()->set_offer_id(offer.offer_id());
  requests.back().mutable_respond_to_offer()->set_response(driver::OFFER_RESPONSE_ACCEPT);
}

void DriveSession::OnRide(const Ride& ride, absl::Time now) {
  if (!ride_.has_value() || ride_->ride_id() != ride.ride_id() || ride_->state() != ride.state()) state_since_ = now;
  ride_ = ride;
}

void DriveSession::AddDueStep(absl::Time now, Requests& requests) {
  if (!ride_.has_value() || !pending_step_.empty()) return;
  driver::StreamDriverRequest step = Step(now);
  if (step.advance_trip().action_case() == driver::AdvanceTripRequest::ACTION_NOT_SET) return;
  pending_step_ = step.command_id();
  requests.push_back(std::move(step));
}

std::optional<LatLng> DriveSession::Target() const {
  if (!ride_.has_value()) return std::nullopt;
  switch (ride_->state()) {
    case hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP:
      return ToPoint(ride_->pickup().position());
    case hail::type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF:
      return ToPoint(ride_->dropoff().position());
    default:
      return std::nullopt;
  }
}

}  // namespace hail::ctl
