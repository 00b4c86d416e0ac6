#include "common/rpc/stream_call.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/status/statusor.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"

namespace hail::rpc::detail {
namespace {

// How long before its caller's identity ends a stream is drained: 30 s before a token's `exp`, which ends the identity
// a minute later. Time enough to get a new token and to reconnect.
constexpr absl::Duration kNotice = absl::Seconds(90);

}  // namespace

StreamCall::StreamCall(Gate* gate, const char* method, std::shared_ptr<StreamWriterBase> writer, bool must_beat,
                       bool ages)
    : gate_(gate),
      method_(method),
      writer_(std::move(writer)),
      must_beat_(must_beat),
      ages_(ages),
      opened_(gate->Wall()),
      last_heard_(opened_),
      last_beat_(opened_) {}

void StreamCall::Guard(absl::FunctionRef<void()> body) {
  try {
    body();
  } catch (const std::exception& thrown) {
    gate_->observer().OnException(method_, thrown.what());
    writer_->Abort(Internal("the stream failed"));
  }
}

void StreamCall::Open(absl::FunctionRef<Opened(absl::Time wall)> make_session) {
  // Held from before the gate knows the stream until there is a session, so that a Drain in between waits.
  absl::MutexLock lock(&session_mutex_);
  absl::StatusOr<std::uint64_t> number = gate_->EnterStream(weak_from_this());
  if (!number.ok()) {
    writer_->Abort(number.status());
    return;
  }
  entered_ = true;
  number_ = *number;
  gate_->observer().OnStreamOpened(method_);
  Guard([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(session_mutex_) {
    Opened opened = make_session(opened_);
    session_ = std::move(opened.session);
    expires_ = opened.expires;
  });
}

void StreamCall::WithSession(absl::FunctionRef<void(StreamSession&)> use) {
  absl::MutexLock lock(&session_mutex_);
  if (session_ == nullptr) return;
  StreamSession& session = *session_;
  Guard([&] { use(session); });
}

void StreamCall::OnInbound() {
  absl::MutexLock lock(&session_mutex_);
  last_heard_ = gate_->Wall();
  if (session_ != nullptr) BeatIfDue(last_heard_, absl::ZeroDuration());
}

void StreamCall::EndSession() {
  // Destroyed without the mutex.
  std::shared_ptr<StreamSession> session;
  absl::MutexLock lock(&session_mutex_);
  session = std::move(session_);
  if (session == nullptr) return;
  Guard([&session] { session->OnEnd(); });
}

void StreamCall::Close() {
  const absl::StatusCode code = writer_->OnDone();
  EndSession();
  bool entered = false;
  std::uint64_t number = 0;
  {
    absl::MutexLock lock(&session_mutex_);
    entered = entered_;
    number = number_;
  }
  if (!entered) return;
  gate_->observer().OnStreamClosed(method_, code, gate_->Wall() - opened_);
  gate_->LeaveStream(number);
}

absl::Time StreamCall::Tick(absl::Time wall) {
  const bool under_way = writer_->Tick(wall, gate_->options().write_stall, gate_->options().linger);
  absl::Time next = wall;
  if (writer_->open()) next = Beat(wall);
  // The remaining messages may take forever to send, but the session ends now.
  if (!writer_->open()) EndSession();
  return under_way ? wall : next;
}

absl::Time StreamCall::Beat(absl::Time wall) {
  const GateOptions& options = gate_->options();
  absl::MutexLock lock(&session_mutex_);
  if (session_ == nullptr) return wall;
  // A paused client cannot send.
  if (writer_->reading_paused()) last_heard_ = wall;
  if (must_beat_ && wall - last_heard_ >= options.silence) {
    writer_->Abort(MakeError(absl::StatusCode::kDeadlineExceeded, "the client has sent nothing for too long",
                             {.reason = Reason::kStreamSilent}));
    return wall;
  }
  if (wall >= expires_) {
    writer_->Abort(MakeError(absl::StatusCode::kUnauthenticated,
                             "the token has expired; open the stream with a new one",
                             {.reason = Reason::kTokenExpired}));
    return wall;
  }
  if (!told_to_go_ && wall >= LeaveAt()) {
    told_to_go_ = true;
    StreamSession& session = *session_;
    Guard([&session] { session.OnDrain(absl::ZeroDuration()); });
    return wall;
  }
  // Without an inbound half, or without heartbeats from the client, there is no message to wait for.
  const absl::Duration patience = must_beat_ ? options.heartbeat_patience : absl::ZeroDuration();
  BeatIfDue(wall, patience);
  absl::Time next = std::min(last_beat_ + options.heartbeat + patience, expires_);
  if (!told_to_go_) next = std::min(next, LeaveAt());
  return must_beat_ ? std::min(next, last_heard_ + options.silence) : next;
}

absl::Time StreamCall::LeaveAt() const {
  absl::Time at = absl::InfiniteFuture();
  const absl::Duration age = gate_->options().stream_age;
  if (ages_ && age < absl::InfiniteDuration()) at = opened_ + age * 0.9 + Gate::Share(age * 0.2, number_);
  // A client that has not got a new token by now comes back with the old one: it is not sent away again.
  if (const absl::Time notice = expires_ - kNotice; opened_ < notice) at = std::min(at, notice);
  return at;
}

void StreamCall::BeatIfDue(absl::Time wall, absl::Duration patience) {
  if (wall - last_beat_ < gate_->options().heartbeat + patience) return;
  last_beat_ = wall;
  StreamSession& session = *session_;
  Guard([&session] { session.OnHeartbeat(); });
}

void StreamCall::Drain(absl::Duration retry_after) {
  WithSession([retry_after](StreamSession& session) { session.OnDrain(retry_after); });
}

void StreamCall::Cancel() { writer_->Cancel(Unavailable(Reason::kDraining, "this service is shutting down")); }

}  // namespace hail::rpc::detail
