#include "driver-service/api/driver_app_session.h"

#include <utility>
#include <variant>

#include "common/errors/error.h"
#include "common/failpoint/failpoint.h"
#include "common/ids/shown_id.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "common/proto/time.h"
#include "common/rpc/error_codec.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/ride_codec.h"

namespace hail::driver {
namespace {

// For commands of a stream, which have no deadline.
constexpr absl::Duration kCommandTime = absl::Seconds(10);
// Limit of unanswered commands. One more is refused rather than held back: an accept may wait for a minute, and
// positions and heartbeats must not wait behind it.
constexpr int kMaxUnanswered = 64;
// Limit of a stream's tasks on the loop besides its commands: acknowledgements, and refusals to send. All drivers share
// the loop; a phone sends a few of these per minute.
constexpr int kMaxAsked = 128;

absl::Status ProtocolViolation(const std::string& message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message, {.reason = Reason::kProtocolViolation});
}

bool IsCommand(const v1::StreamDriverRequest& request) {
  switch (request.message_case()) {
    case v1::StreamDriverRequest::kSetAvailability:
    case v1::StreamDriverRequest::kRespondToOffer:
    case v1::StreamDriverRequest::kAdvanceTrip:
      return true;
    default:
      return false;
  }
}

}  // namespace

DriverAppSession::DriverAppSession(DriverCommands& commands, std::shared_ptr<Sink> sink, const rpc::CallContext& call)
    : commands_(commands), sink_(std::move(sink)), call_(call), stream_(commands.host().NewId()) {}

void DriverAppSession::OnMessage(const v1::StreamDriverRequest& request) {
  absl::MutexLock lock(&mutex_);
  switch (phase_) {
    case Phase::kNew:
      if (request.has_open()) return Open(request.open(), "open.", /*sends=*/true);
      sink_->Finish(ProtocolViolation("the first message must be open"));
      phase_ = Phase::kEnded;
      return;
    case Phase::kOpen:
      Handle(request);
      return;
    case Phase::kOpening:
    case Phase::kEnded:
      return;
  }
}

void DriverAppSession::Watch(const v1::WatchDriverRequest& request) {
  v1::OpenSession open;
  open.set_driver_id(request.driver_id());
  if (request.has_cursor()) *open.mutable_cursor() = request.cursor();
  open.set_incarnation_id(request.incarnation_id());
  open.set_opening(request.opening());
  absl::MutexLock lock(&mutex_);
  Open(open, "", /*sends=*/false);
}

void DriverAppSession::OnHalfClose() { sink_->Finish(); }

void DriverAppSession::OnHeartbeat() {
  v1::StreamDriverResponse response;
  {
    absl::MutexLock lock(&mutex_);
    response.mutable_heartbeat()->set_sequence(ride_sequence_);
  }
  sink_->SendLatest("heartbeat", std::move(response));
}

void DriverAppSession::OnDrain(absl::Duration retry_after) {
  commands_.host().Post([self = shared_from_this(), retry_after](Dispatch& core, Now) {
    std::string driver_id;
    {
      absl::MutexLock lock(&self->mutex_);
      driver_id = self->driver_id_;
    }
    v1::StreamDriverResponse response;
    Encode(retry_after, response.mutable_draining()->mutable_retry_after());
    if (const std::optional<RideCursor> cursor = core.CursorOf(driver_id); cursor.has_value()) {
      *response.mutable_draining()->mutable_cursor() = ToProto(*cursor);
    }
    self->sink_->Send(std::move(response));
    self->sink_->Finish();
  });
}

void DriverAppSession::OnEnd() {
  absl::MutexLock lock(&mutex_);
  const Phase before = std::exchange(phase_, Phase::kEnded);
  if (before != Phase::kOpening && before != Phase::kOpen) return;
  // Posted after the opening, which may still be on its way to the loop.
  commands_.host().Post([&host = commands_.host(), driver_id = driver_id_, stream = stream_](Dispatch& core, Now now) {
    core.CloseStream(now, driver_id, stream);
    host.RemoveDriverSink(stream);
  });
}

void DriverAppSession::Open(const v1::OpenSession& request, const std::string& path, bool sends) {
  absl::StatusOr<std::optional<RideCursor>> cursor = FromProto(request);
  absl::Status status = cursor.status();
  if (status.ok() && request.opening() < 0) status = InvalidField(path + "opening", "must not be negative");
  if (status.ok() && !request.incarnation_id().empty()) {
    status = CheckId(request.incarnation_id(), path + "incarnation_id");
  }
  if (!status.ok()) {
    sink_->Finish(status);
    phase_ = Phase::kEnded;
    return;
  }
  driver_id_ = request.driver_id();
  phase_ = Phase::kOpening;
  sink_->PauseReading();
  const Opening opening{request.incarnation_id(), request.opening(), sends};
  commands_.host().ClaimForStream(driver_id_, opening,
                                  [self = shared_from_this(), cursor = *std::move(cursor), opening](
                                      const absl::StatusOr<ClaimedSession>& claimed, Dispatch& core, Now now) {
                                    self->Opened(claimed, cursor, opening, core, now);
                                  });
}

void DriverAppSession::Opened(const absl::StatusOr<ClaimedSession>& claimed, const std::optional<RideCursor>& cursor,
                              const Opening& opening, Dispatch& core, Now now) {
  if (!claimed.ok()) {
    sink_->Finish(claimed.status());
    return;
  }
  if (!claimed->claimed) return Deliver(Replaced{});
  {
    absl::MutexLock lock(&mutex_);
    if (phase_ == Phase::kEnded) return;
  }
  // Without the mutex, because the core answers through the sink. The stream may end meanwhile: the task of OnEnd runs
  // after this one.
  commands_.host().AddDriverSink(stream_,
                                 [self = shared_from_this()](const DriverMessage& message) { self->Deliver(message); });
  const StoredDriver& stored = claimed->stored;
  const std::int64_t session_epoch =
      core.OpenStream(now, stored.driver, stored.availability, claimed->session.epoch, stream_, cursor, opening);
  Log(LogLevel::kDebug, "driver_stream_opened",
      {{"driver_id", stored.driver.driver_id}, {"session_epoch", session_epoch}, {"request_id", call_.request_id}});

  absl::MutexLock lock(&mutex_);
  if (phase_ == Phase::kEnded) return;
  session_epoch_ = session_epoch;
  phase_ = Phase::kOpen;
  sink_->ResumeReading();
}

void DriverAppSession::Handle(const v1::StreamDriverRequest& request) {
  switch (request.message_case()) {
    case v1::StreamDriverRequest::kHeartbeat:
      return;
    case v1::StreamDriverRequest::kOpen:
      sink_->Finish(ProtocolViolation("open must be the first message only"));
      return;
    case v1::StreamDriverRequest::kLocation: {
      if (absl::Status status = CheckNamed(request.location().driver_id()); !status.ok()) {
        return SendResult(request.command_id(), status);
      }
      const absl::StatusOr<PositionTally> tally =
          commands_.positions().Take(driver_id_, session_epoch_, request.location());
      if (!tally.ok()) return SendResult(request.command_id(), tally.status());
      if (position_missing_) Positioned();
      if (!tally->IsWorthTelling()) return;
      v1::StreamDriverResponse response;
      *response.mutable_location_result() = ToProto(*tally);
      sink_->SendLatest("location_result", std::move(response));
      return;
    }
    case v1::StreamDriverRequest::kOfferReceived: {
      const std::string& offer_id = request.offer_received().offer_id();
      if (absl::Status status = CheckId(offer_id, "offer_received.offer_id"); !status.ok()) {
        SendResult(request.command_id(), status);
        return;
      }
      Ask([driver_id = driver_id_, offer_id](Dispatch& core, Now now) {
        core.OfferReceived(now, driver_id, offer_id);
      });
      return;
    }
    default:
      HandleCommand(request);
  }
}

void DriverAppSession::HandleCommand(const v1::StreamDriverRequest& request) {
  if (absl::Status status = CheckCommand(request); !status.ok()) {
    SendResult(request.command_id(), status);
    return;
  }
  ++unanswered_;
  const std::string& command_id = request.command_id();
  if (request.has_set_availability()) {
    commands_.SetAvailability(
        driver_id_, request.set_availability().availability(), commands_.clock().Read().wall + kCommandTime,
        [self = shared_from_this(), command_id](const absl::Status& status, const DriverState& state) {
          self->Answer(command_id, status, state);
        });
  } else if (request.has_respond_to_offer()) {
    const absl::StatusOr<bool> accept = DriverCommands::CheckAnswer(request.respond_to_offer());
    commands_.host().Post([self = shared_from_this(), command_id, accept, driver_id = driver_id_,
                           offer_id = request.respond_to_offer().offer_id()](Dispatch& core, Now now) {
      if (!accept.ok()) return self->Answer(command_id, accept.status(), core.State(now, driver_id));
      self->commands_.Respond(driver_id, offer_id, *accept, [self, command_id](const RespondResult& result) {
        self->Answer(command_id, result.status, result.state);
      });
    });
  } else {
    commands_.AdvanceTrip(
        driver_id_, request.advance_trip(), {.traceparent = call_.traceparent},
        [self = shared_from_this(), command_id, driver_id = driver_id_](absl::StatusOr<type::v1::Ride> ride) {
          self->commands_.host().Post([self, command_id, driver_id, status = ride.status()](Dispatch& core, Now now) {
            self->Answer(command_id, status, core.State(now, driver_id));
          });
        });
  }
}

absl::Status DriverAppSession::CheckCommand(const v1::StreamDriverRequest& request) const {
  if (!IsCommand(request)) return InvalidField("message", "is missing, or of an unknown kind");
  if (absl::Status status = CheckId(request.command_id(), "command_id"); !status.ok()) return status;
  if (unanswered_ >= kMaxUnanswered) return Overloaded("too many commands wait for their answers", absl::Seconds(1));
  if (request.has_set_availability()) return CheckNamed(request.set_availability().driver_id());
  if (request.has_respond_to_offer()) return CheckNamed(request.respond_to_offer().driver_id());
  return CheckNamed(request.advance_trip().driver_id());
}

absl::Status DriverAppSession::CheckNamed(const std::string& driver_id) const {
  if (driver_id.empty() || driver_id == driver_id_) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, "the stream is another driver's",
                   {.reason = Reason::kIdentityMismatch});
}

void DriverAppSession::Deliver(const DriverMessage& message) {
  {
    absl::MutexLock lock(&mutex_);
    if (const auto* snapshot = std::get_if<Snapshot>(&message)) {
      ride_sequence_ = snapshot->state.ride != nullptr ? snapshot->state.ride->sequence : 0;
      position_missing_ = snapshot->state.blocked_by == BlockedBy::kStalePosition;
    } else if (const auto* changed = std::get_if<StateChanged>(&message)) {
      position_missing_ = changed->state.blocked_by == BlockedBy::kStalePosition;
    } else if (const auto* event = std::get_if<RideEventView>(&message)) {
      ride_sequence_ = event->ride->sequence;
    }
  }
  if (std::holds_alternative<OfferView>(message)) HAIL_FAILPOINT(kOfferMade);
  if (std::holds_alternative<Moved>(message)) {
    sink_->Finish(Unavailable(Reason::kPeerUnavailable, "the session is at another replica: open the stream again"));
    return;
  }
  sink_->Send(ToProto(message));
  if (std::holds_alternative<Replaced>(message)) sink_->Finish();
}

void DriverAppSession::Answer(const std::string& command_id, const absl::Status& status, const DriverState& state) {
  {
    absl::MutexLock lock(&mutex_);
    --unanswered_;
  }
  Send(command_id, status, state);
}

void DriverAppSession::SendResult(const std::string& command_id, const absl::Status& status) {
  Ask([self = shared_from_this(), command_id = ShownId(command_id), status, driver_id = driver_id_](
          Dispatch& core, Now now) { self->Send(command_id, status, core.State(now, driver_id)); });
}

void DriverAppSession::Positioned() {
  if (std::exchange(positioned_, true)) return;
  commands_.host().Post([self = shared_from_this(), driver_id = driver_id_](Dispatch& core, Now) {
    {
      absl::MutexLock lock(&self->mutex_);
      self->positioned_ = false;
    }
    core.Positioned(driver_id);
  });
}

void DriverAppSession::Ask(std::function<void(Dispatch& core, Now now)> what) {
  if (++asked_ == kMaxAsked) sink_->PauseReading();
  commands_.host().Post([self = shared_from_this(), what = std::move(what)](Dispatch& core, Now now) {
    {
      absl::MutexLock lock(&self->mutex_);
      if (self->asked_-- == kMaxAsked) self->sink_->ResumeReading();
    }
    what(core, now);
  });
}

void DriverAppSession::Send(const std::string& command_id, const absl::Status& status, const DriverState& state) {
  v1::StreamDriverResponse response;
  v1::CommandResult& result = *response.mutable_command_result();
  result.set_command_id(command_id);
  *result.mutable_status() = rpc::ToProto(status);
  *result.mutable_state() = ToProto(state);
  HAIL_FAILPOINT(kReplyStream);
  sink_->Send(std::move(response));
  {
    absl::MutexLock lock(&mutex_);
    position_missing_ = state.blocked_by == BlockedBy::kStalePosition;
  }
  commands_.host().Here([this, &state](Dispatch& core, Now) { core.StateSent(state.driver_id, stream_, state); });
}

}  // namespace hail::driver
