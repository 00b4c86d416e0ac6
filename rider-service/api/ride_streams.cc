#include "rider-service/api/ride_streams.h"

#include <utility>

#include "common/errors/error.h"
#include "common/failpoint/failpoint.h"
#include "common/ids/shown_id.h"
#include "common/ids/uuid.h"
#include "common/rpc/error_codec.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

using hail::rider::v1::CommandResult;
using hail::rider::v1::StreamRideRequest;
using hail::rider::v1::StreamRideResponse;
using hail::rider::v1::WatchRideRequest;
using hail::rider::v1::WatchRideResponse;

// A rider has one command to give, so more concurrent commands are abuse.
constexpr std::size_t kMaxCommands = 16;
// Wall time within which a command must begin to be written.
constexpr absl::Duration kCommandDeadline = absl::Seconds(10);
constexpr char kHeartbeatSlot[] = "heartbeat";

WatchRideResponse Heartbeat(const RideSession& session) {
  WatchRideResponse message;
  message.mutable_heartbeat()->set_sequence(session.known_sequence());
  return message;
}

WatchRideResponse Draining(absl::Duration retry_after, const std::string& ride_id, std::int64_t sequence) {
  WatchRideResponse message;
  Encode(retry_after, message.mutable_draining()->mutable_retry_after());
  message.mutable_draining()->mutable_cursor()->set_ride_id(ride_id);
  message.mutable_draining()->mutable_cursor()->set_sequence(sequence);
  return message;
}

StreamRideResponse Update(WatchRideResponse message) {
  StreamRideResponse response;
  *response.mutable_update() = std::move(message);
  return response;
}

std::optional<std::int64_t> CursorOf(const WatchRideRequest& request) {
  return request.has_after_sequence() ? std::optional(request.after_sequence()) : std::nullopt;
}

CommandResult Result(const std::string& command_id, const absl::Status& status) {
  CommandResult result;
  result.set_command_id(command_id);
  *result.mutable_status() = rpc::ToProto(status);
  return result;
}

absl::Status CheckWatch(const WatchRideRequest& request) {
  if (const absl::Status status = CheckId(request.ride_id(), "ride_id"); !status.ok()) return status;
  if (request.after_sequence() < 0) return InvalidField("after_sequence", "must not be negative");
  return absl::OkStatus();
}

}  // namespace

WatchStream::WatchStream(const SessionPorts& ports, const WatchRideRequest& request, std::shared_ptr<WatchSink> sink)
    : sink_(std::move(sink)), ride_id_(request.ride_id()) {
  if (const absl::Status status = CheckWatch(request); !status.ok()) {
    sink_->Finish(status);
    return;
  }
  session_ = RideSession::Open(ports, request.rider_id(), ride_id_, CursorOf(request), sink_);
}

void WatchStream::OnHeartbeat() {
  if (session_ == nullptr) return;
  session_->CheckPosition();
  sink_->SendLatest(kHeartbeatSlot, Heartbeat(*session_));
}

void WatchStream::OnDrain(absl::Duration retry_after) {
  if (session_ != nullptr) {
    // Nothing may follow `draining`, because it contains the final cursor.
    session_->Close();
    sink_->Send(Draining(retry_after, ride_id_, session_->sent_sequence()));
  }
  sink_->Finish();
}

void WatchStream::OnEnd() {
  if (session_ != nullptr) session_->Close();
}

bool RideStream::CommandSink::Send(WatchRideResponse message) { return sink_->Send(Update(std::move(message))); }

bool RideStream::CommandSink::SendLatest(const std::string& key, WatchRideResponse message) {
  return sink_->SendLatest(key, Update(std::move(message)));
}

void RideStream::CommandSink::Finish(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (under_way_ > 0) {
    final_ = status;
  } else {
    sink_->Finish(status);
  }
}

bool RideStream::CommandSink::BeginCommand() {
  absl::MutexLock lock(&mutex_);
  if (under_way_ >= kMaxCommands) return false;
  ++under_way_;
  return true;
}

void RideStream::CommandSink::EndCommand(CommandResult result) {
  Answer(std::move(result));
  absl::MutexLock lock(&mutex_);
  if (--under_way_ == 0 && final_) sink_->Finish(*final_);
}

void RideStream::CommandSink::Answer(CommandResult result) {
  StreamRideResponse response;
  *response.mutable_command_result() = std::move(result);
  HAIL_FAILPOINT(kReplyStream);
  sink_->Send(std::move(response));
}

RideStream::RideStream(const SessionPorts& ports, Rides* rides, std::shared_ptr<StreamSink> sink)
    : ports_(ports), rides_(rides), sink_(std::move(sink)), commands_(std::make_shared<CommandSink>(sink_)) {}

void RideStream::OnMessage(const StreamRideRequest& message) {
  const bool is_open = message.message_case() == StreamRideRequest::kOpen;
  if (is_open != (session_ == nullptr)) {
    return Violation(is_open ? "`open` was sent already" : "the first message must be `open`");
  }
  switch (message.message_case()) {
    case StreamRideRequest::kOpen:
      return Open(message.open());
    case StreamRideRequest::kCancelRide:
      return Cancel(message.command_id(), message.cancel_ride());
    case StreamRideRequest::kHeartbeat:
      return;
    case StreamRideRequest::MESSAGE_NOT_SET:
      return Violation("the message is empty, or of a kind this version does not know");
  }
}

void RideStream::Open(const WatchRideRequest& request) {
  if (const absl::Status status = CheckWatch(request); !status.ok()) return sink_->Finish(status);
  rider_id_ = request.rider_id();
  ride_id_ = request.ride_id();
  session_ = RideSession::Open(ports_, rider_id_, ride_id_, CursorOf(request), commands_);
}

void RideStream::Cancel(const std::string& command_id, const hail::rider::v1::CancelRideRequest& request) {
  if (const absl::Status status = CheckId(command_id, "command_id"); !status.ok()) {
    return commands_->Answer(Result(ShownId(command_id), status));
  }
  if (!request.rider_id().empty() && request.rider_id() != rider_id_) {
    return commands_->Answer(
        Result(command_id, InvalidField("cancel_ride.rider_id", "is not the rider of this stream")));
  }
  if (!request.ride_id().empty() && request.ride_id() != ride_id_) {
    return commands_->Answer(Result(command_id, InvalidField("cancel_ride.ride_id", "is not the watched ride")));
  }
  if (!commands_->BeginCommand()) {
    return commands_->Answer(Result(command_id, Overloaded("too many commands are under way", absl::Seconds(1))));
  }
  const Now now = ports_.clock->Read();
  rides_->Cancel(now, rider_id_, ride_id_, DecodeReason(request.reason()), request.note(), now.wall + kCommandDeadline,
                 [commands = commands_, command_id](const absl::StatusOr<Ride>& ride) {
                   CommandResult result = Result(command_id, ride.status());
                   if (ride.ok()) Encode(*ride, result.mutable_ride());
                   commands->EndCommand(std::move(result));
                 });
}

void RideStream::Violation(const std::string& message) {
  sink_->Finish(FailedPrecondition(Reason::kProtocolViolation, message));
}

void RideStream::OnHalfClose() {
  if (session_ == nullptr) return Violation("the first message must be `open`");
  commands_->Finish(absl::OkStatus());
}

void RideStream::OnHeartbeat() {
  if (session_ == nullptr) return;
  session_->CheckPosition();
  sink_->SendLatest(kHeartbeatSlot, Update(Heartbeat(*session_)));
}

void RideStream::OnDrain(absl::Duration retry_after) {
  if (session_ == nullptr) {
    WatchRideResponse message;
    Encode(retry_after, message.mutable_draining()->mutable_retry_after());
    sink_->Send(Update(std::move(message)));
  } else {
    // No event of the ride may follow `draining`, because it contains the final cursor. Answers to commands may.
    session_->Close();
    sink_->Send(Update(Draining(retry_after, ride_id_, session_->sent_sequence())));
  }
  commands_->Finish(absl::OkStatus());
}

void RideStream::OnEnd() {
  if (session_ != nullptr) session_->Close();
}

}  // namespace hail::rider
