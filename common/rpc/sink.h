// Receives the messages of a stream's session: a StreamWriter over gRPC and in the simulation, a list in unit tests.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace hail::rpc {

// Thread-safe. It outlives the stream; messages sent after the end are dropped. It calls nothing back on the same
// stack, so it may be used with locks held.
template <typename Message>
class Sink {
 public:
  virtual ~Sink() = default;

  // Sends in order. False if the stream is ending, or ends because its client does not keep up.
  virtual bool Send(Message message) = 0;

  // Replaces a waiting message with the same key. Messages of Send overtake it. False if the stream is ending. The
  // number of keys must be bounded.
  virtual bool SendLatest(const std::string& key, Message message) = 0;

  // Ends the stream with `status` after all earlier messages have been sent. Only the first call counts. Prefer OK,
  // with business outcomes as messages: an error status may overtake messages on their way to the client.
  virtual void Finish(const absl::Status& status = absl::OkStatus()) = 0;

  // For streams with an inbound half. A session that cannot take another message calls PauseReading before its
  // OnMessage returns. No message is read until ResumeReading, and flow control holds the client back; messages joined
  // to the present one (joined.h) are still handled. A paused client does not count as silent. Its half-close stays
  // behind its messages; a cancel, a drain and the stream's own end do not wait. Both are idempotent.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
};

}  // namespace hail::rpc
