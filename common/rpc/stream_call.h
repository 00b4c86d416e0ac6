// What all kinds of a server's streams have in common: admission, the session, its beat and its end.
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

// Thread-safe. Held by the reactor; the gate keeps a weak pointer. Lock order: session_mutex_ (held while the session
// is called), then anything the session takes, the writer's mutex last.
class StreamCall final : public LiveStream, public std::enable_shared_from_this<StreamCall> {
 public:
  // `must_beat`: the client sends heartbeats, and is gone when it is silent. `ages`: see GateOptions::stream_age.
  StreamCall(Gate* gate, const char* method, std::shared_ptr<StreamWriterBase> writer, bool must_beat, bool ages);

  // Passes the gate and makes the session. If the gate refuses, or `make_session` throws, the stream is ended.
  void Open(absl::FunctionRef<std::shared_ptr<StreamSession>()> make_session) ABSL_LOCKS_EXCLUDED(session_mutex_);

  // Calls the session, unless there is none (refused or ended).
  void WithSession(absl::FunctionRef<void(StreamSession&)> use) ABSL_LOCKS_EXCLUDED(session_mutex_);

  // A message has come in. Sends the heartbeat that is due.
  void OnInbound() ABSL_LOCKS_EXCLUDED(session_mutex_);

  // From the reactor's OnDone: nothing of the reactor may be used after.
  void Close() ABSL_LOCKS_EXCLUDED(session_mutex_);

  absl::Time Tick(absl::Time wall) override ABSL_LOCKS_EXCLUDED(session_mutex_);
  void Drain(absl::Duration retry_after) override ABSL_LOCKS_EXCLUDED(session_mutex_);
  void Cancel() override;

 private:
  // Of an open stream: is the client there, does it want a heartbeat, is it old enough? Returns when to ask again.
  absl::Time Beat(absl::Time wall) ABSL_LOCKS_EXCLUDED(session_mutex_);

  // A heartbeat, if the last one was sent `patience` longer ago than GateOptions::heartbeat. There is a session.
  void BeatIfDue(absl::Time wall, absl::Duration patience) ABSL_EXCLUSIVE_LOCKS_REQUIRED(session_mutex_);

  // The session's OnEnd, unless that was.
  void EndSession() ABSL_LOCKS_EXCLUDED(session_mutex_);

  // Runs `body`, turning what it throws into the stream's end.
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
  bool told_to_go_ ABSL_GUARDED_BY(session_mutex_) = false;
};

}  // namespace hail::rpc::detail
