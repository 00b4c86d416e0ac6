#include "tests/tools/hail-load/fleet_driver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/proto/time.h"
#include "common/rpc/status.h"
#include "tests/tools/hail-load/authorize.h"
#include "tests/tools/hail-sim/outcome.h"

namespace hail::load {
namespace {

// The README's policy.
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);
constexpr absl::Duration kMostBackoff = absl::Seconds(2);

}  // namespace

FleetDriver::FleetDriver(FleetState* fleet, std::string driver_id, hail::type::v1::LatLng at)
    : fleet_(fleet), driver_id_(std::move(driver_id)), at_(std::move(at)), backoff_(kFirstBackoff) {}

void FleetDriver::OpenAfter(absl::Duration wait, hail::driver::v1::DriverService::Stub* stub) {
  stub_ = stub;
  wanted_since_ = absl::Now() + wait;
  fleet_->loop->PostAfter(wait, [this, attempt = ++attempt_] { Open(attempt); });
}

void FleetDriver::Drop() {
  ++attempt_;
  SetCaughtUp(false);
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->Cancel();
}

void FleetDriver::Open(std::int64_t attempt) {
  if (attempt != attempt_) return;
  draining_.reset();
  Request open;
  open.mutable_open()->set_driver_id(driver_id_);
  if (cursor_) *open.mutable_open()->mutable_cursor() = *cursor_;
  sim::StreamEvents<Response> events;
  events.received = [this, attempt](absl::Time at, const Response& message) {
    if (fleet_->on_message) fleet_->on_message(at, message);
    fleet_->loop->Post([this, attempt, message] {
      if (attempt == attempt_) OnMessage(message);
    });
  };
  events.ended = [this, attempt](absl::Time at, const grpc::Status& status) {
    fleet_->loop->Post([this, attempt, at, status] {
      if (attempt == attempt_) OnEnd(at, status);
    });
  };
  stream_ = sim::BidiCall<Request, Response>::Start(
      [this](auto* context, auto* reactor) {
        AuthorizeDriver(context, driver_id_);
        stub_->async()->StreamDriver(context, reactor);
      },
      std::move(open), std::move(events), fleet_->in_flight);
  stream_->Send(Position());
  if (online_) return;
  Request request;
  request.set_command_id("online");
  request.mutable_set_availability()->set_availability(hail::driver::v1::AVAILABILITY_ONLINE);
  stream_->Send(std::move(request));
}

void FleetDriver::OnMessage(const Response& message) {
  switch (message.message_case()) {
    case Response::kSnapshot:
      if (message.snapshot().has_ride()) {
        const auto& ride = message.snapshot().ride();
        fleet_->driven[ride.ride_id()] = driver_id_;
        cursor_.emplace().set_ride_id(ride.ride_id());
        cursor_->set_sequence(ride.sequence());
        Seen(ride.ride_id(), ride.epoch());
      }
      return;
    case Response::kCaughtUp:
      backoff_ = kFirstBackoff;
      if (!caught_up_) fleet_->catch_up.Add(absl::Now() - wanted_since_);
      SetCaughtUp(true);
      return;
    case Response::kOffer: {
      if (message.offer().status() != hail::driver::v1::OFFER_STATUS_PENDING) return;
      Request received;
      received.mutable_offer_received()->set_offer_id(message.offer().offer_id());
      stream_->Send(std::move(received));
      Request accept;
      accept.set_command_id(absl::StrCat("accept-", ++commands_));
      accept.mutable_respond_to_offer()->set_offer_id(message.offer().offer_id());
      accept.mutable_respond_to_offer()->set_response(hail::driver::v1::OFFER_RESPONSE_ACCEPT);
      stream_->Send(std::move(accept));
      return;
    }
    case Response::kEvent:
      cursor_.emplace().set_ride_id(message.event().ride_id());
      cursor_->set_sequence(message.event().sequence());
      if (message.event().type() == hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED) {
        fleet_->driven[message.event().ride_id()] = driver_id_;
        Seen(message.event().ride_id(), message.event().ride().epoch());
      }
      if (fleet_->complete_at_once) StepAfter(message.event());
      return;
    case Response::kCommandResult: {
      const bool ok = message.command_result().status().code() == 0;
      if (!ok) ++fleet_->refused_commands;
      // Being online is stored once the command is answered; until then each stream repeats it.
      if (ok && message.command_result().command_id() == "online") online_ = true;
      return;
    }
    case Response::kDraining:
      draining_ = DecodeDuration(message.draining().retry_after());
      return;
    default:
      return;
  }
}

void FleetDriver::OnEnd(absl::Time at, const grpc::Status& status) {
  SetCaughtUp(false);
  stream_ = nullptr;
  ++fleet_->ended[sim::CodeName(status.error_code())];
  const auto details = DetailsOf(rpc::FromGrpc(status));
  const absl::Duration asked = details && details->retry_after ? *details->retry_after : absl::ZeroDuration();
  const absl::Duration own = backoff_ * fleet_->random.Between(0.5, 1.0);
  backoff_ = std::min(2 * backoff_, kMostBackoff);
  const absl::Time wanted = wanted_since_;
  OpenAfter(draining_.value_or(std::max(asked, own)), stub_);
  // The time measured covers the whole reconnection, with all its attempts.
  wanted_since_ = status.ok() ? at : wanted;
}

void FleetDriver::Seen(const std::string& ride_id, std::int64_t epoch) {
  Request seen;
  seen.set_command_id(absl::StrCat("seen-", ++commands_));
  seen.mutable_advance_trip()->set_ride_id(ride_id);
  seen.mutable_advance_trip()->set_epoch(epoch);
  seen.mutable_advance_trip()->mutable_seen();
  stream_->Send(std::move(seen));
}

void FleetDriver::StepAfter(const hail::type::v1::RideEvent& event) {
  Request request;
  auto& step = *request.mutable_advance_trip();
  switch (event.type()) {
    case hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED:
      step.mutable_arrive();
      break;
    case hail::type::v1::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP:
      step.mutable_start();
      break;
    case hail::type::v1::RIDE_EVENT_TYPE_STARTED:
      step.mutable_complete();
      break;
    default:
      return;
  }
  step.set_ride_id(event.ride_id());
  step.set_epoch(event.ride().epoch());
  step.set_leg(event.ride().leg());
  request.set_command_id(absl::StrCat("step-", ++commands_));
  stream_->Send(std::move(request));
}

void FleetDriver::SetCaughtUp(bool caught_up) {
  if (caught_up == caught_up_) return;
  caught_up_ = caught_up;
  fleet_->caught_up += caught_up ? 1 : -1;
}

void FleetDriver::Beat() {
  if (stream_ != nullptr) stream_->Send(Position());
}

FleetDriver::Request FleetDriver::Position() {
  Request request;
  auto* position = request.mutable_location()->add_positions();
  *position->mutable_location() = at_;
  position->mutable_age();
  position->set_position_seq(++position_seq_);
  if (fleet_->positioned) fleet_->positioned(driver_id_, position_seq_);
  return request;
}

}  // namespace hail::load
