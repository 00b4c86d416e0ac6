// The part that all kinds of server streams share: admission, session, heartbeat and end.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "common/rpc/stream_session.h"
#include "common/rpc/stream_writer.h"

namespace hail::rpc::detail {

// Thread-safe. The reactor owns it; the gate keeps a weak pointer. Lock order: session_mutex_ (held while the session
// is called), then locks of the session, the writer's mutex last.
class StreamCall final : public LiveStream, public std::enable_shared_from_this<StreamCall> {
 public:
  // `must_beat`: the client must send heartbeats, and counts as gone when silent. `ages`: see GateOptions::stream_age.
  StreamCall(Gate* gate, const char* method, std::shared_ptr<StreamWriterBase> writer, bool must_beat, bool ages);

  struct Opened {
    // Null: refused; the writer is finished.
    std::shared_ptr<StreamSession> session;
    // Wall time until which the caller's identity holds. The session is drained shortly before, so that the client
    // opens another stream with a new identity. A stream that is open then ends with TOKEN_EXPIRED.
    absl::Time expires = absl::InfiniteFuture();
  };
  // Enters the gate and makes the session; `wall` is the present time. If the gate refuses, or `make_session` throws,
  // the stream ends.
  void Open(absl::FunctionRef<Opened(absl::Time wall)> make_session) ABSL_LOCKS_EXCLUDED(session_mutex_);

  // Calls the session, if there is one (not refused, not ended).
  void WithSession(absl::FunctionRef<void(StreamSession&)> use) ABSL_LOCKS_EXCLUDED(session_mutex_);

  // A message has arrived. Sends a heartbeat if it is due.
  void OnInbound() ABSL_LOCKS_EXCLUDED(session_mutex_);

  // Called by the reactor's OnDone: the reactor must not be used afterwards.
  void Close() ABSL_LOCKS_EXCLUDED(session_mutex_);

  absl::Time Tick(absl::Time wall) override ABSL_LOCKS_EXCLUDED(session_mutex_);
  void Drain(absl::Duration retry_after) override ABSL_LOCKS_EXCLUDED(session_mutex_);
  void Cancel() override;

 private:
  // Checks an open stream for silence, due heartbeats, age and its caller's identity. Returns the time of the next
  // check.
  absl::Time Beat(absl::Time wall) ABSL_LOCKS_EXCLUDED(session_mutex_);

  // When the session is to be drained; InfiniteFuture: never.
  absl::Time LeaveAt() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(session_mutex_);

  // Sends a heartbeat if the last one is at least GateOptions::heartbeat + `patience` old. There must be a session.
  void BeatIfDue(absl::Time wall, absl::Duration patience) ABSL_EXCLUSIVE_LOCKS_REQUIRED(session_mutex_);

  // Calls the session's OnEnd, once.
  void EndSession() ABSL_LOCKS_EXCLUDED(session_mutex_);

  // Runs `body`; an exception ends the stream.
  void Guard(absl::FunctionRef<void()> body);

  Gate* const gate_;
  const char* const method_;
  const std::shared_ptr<StreamWriterBase> writer_;
  const bool must_beat_;
  const bool ages_;
  const absl::Time opened_;

  absl::Mutex session_mutex_;
  std::shared_ptr<StreamSession> session_ ABSL_GUARDED_BY(session_mutex_);
  bool entered_ ABSL_GUARDED_BY(session_mutex_) = false;
  std::uint64_t number_ ABSL_GUARDED_BY(session_mutex_) = 0;
  absl::Time last_heard_ ABSL_GUARDED_BY(session_mutex_);
  absl::Time last_beat_ ABSL_GUARDED_BY(session_mutex_);
  absl::Time expires_ ABSL_GUARDED_BY(session_mutex_) = absl::InfiniteFuture();
  bool told_to_go_ ABSL_GUARDED_BY(session_mutex_) = false;
};

}  // namespace hail::rpc::detail
