// The service's part of a stream: a session, which handles messages and answers through a StreamWriter.
//
// A session's methods are called one at a time, on gRPC's thread for messages and on the gate's for heartbeats and
// draining. They must not block. An exception ends the stream with INTERNAL. Other objects may hold a session too (for
// example a bus subscription), so it guards its own state.
#pragma once

#include "absl/time/time.h"

namespace hail::rpc {

class StreamSession {
 public:
  virtual ~StreamSession() = default;

  // A heartbeat is due (GateOptions::heartbeat and heartbeat_patience).
  virtual void OnHeartbeat() {}

  // The service is shutting down: send `draining` with `retry_after`, then finish the writer with OK. A stream that
  // does not end in time is cancelled.
  virtual void OnDrain(absl::Duration retry_after) = 0;

  // The stream has ended, or will end once the earlier messages have been sent. The last call; messages sent now are
  // dropped.
  virtual void OnEnd() = 0;
};

// A session that also receives messages.
template <typename Request>
class InboundSession : public StreamSession {
 public:
  // The next message. The message after it is read once this has returned. The session itself must limit work that it
  // starts without waiting for it, for example by Sink::PauseReading.
  virtual void OnMessage(const Request& message) = 0;

  // The client will send no more: it half-closed, or is gone. Finish the writer, now or soon.
  virtual void OnHalfClose() = 0;
};

}  // namespace hail::rpc
