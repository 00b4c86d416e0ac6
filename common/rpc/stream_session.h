// The service's part of a stream: a session, which handles messages and answers through an StreamWriter.
//
// A session's methods are called one at a time, never two at once, on gRPC's thread for
// messages and on the gate's for heartbeats and draining. They must not block. An exception ends the stream with
// INTERNAL. Others may hold a session too (a bus subscription, say); it guards its own state against them.
#pragma once

#include "absl/time/time.h"

namespace hail::rpc {

class StreamSession {
 public:
  virtual ~StreamSession() = default;

  // It is time to send a heartbeat (GateOptions::heartbeat and heartbeat_patience).
  virtual void OnHeartbeat() {}

  // The service is shutting down: send `draining` with `retry_after`, then finish the writer with OK. A stream that
  // does not end in time is cut off.
  virtual void OnDrain(absl::Duration retry_after) = 0;

  // The stream is over, for whatever reason, or will be once what was sent before has gone out. The last call; nothing
  // that is sent now goes anywhere.
  virtual void OnEnd() = 0;
};

// A session that also gets messages.
template <typename Request>
class InboundSession : public StreamSession {
 public:
  // The next message. The one after it is read once this has returned, so whatever a message sets off and does not wait
  // for must be bounded by the session itself: by Sink::PauseReading, say.
  virtual void OnMessage(const Request& message) = 0;

  // The client will send no more (it ended its half, or it is gone). Finish the writer, now or soon.
  virtual void OnHalfClose() = 0;
};

}  // namespace hail::rpc
