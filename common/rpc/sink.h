// Where the session of a stream sends its messages: an StreamWriter over gRPC and in the simulation, a list in a unit
// test.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace hail::rpc {

// Thread-safe. It outlives the stream; what is sent after the end is dropped. It calls nothing back on the same stack,
// so it may be used with locks held.
template <typename Message>
class Sink {
 public:
  virtual ~Sink() = default;

  // Sends after everything sent before. False if the stream is ending, or ends because its reader does not keep up.
  virtual bool Send(Message message) = 0;

  // Latest wins: replaces a message of the same key that still waits. Overtaken by messages of Send. False if the
  // stream is ending. The number of keys must be bounded.
  virtual bool SendLatest(const std::string& key, Message message) = 0;

  // Ends the stream with `status` once all that was sent before has gone out. Only the first end counts. Prefer OK, and
  // business outcomes as messages: an error status may overtake messages on their way to the client.
  virtual void Finish(const absl::Status& status = absl::OkStatus()) = 0;

  // For streams with an inbound half. A session that cannot take the next message yet says so before its OnMessage
  // returns. No message is read until ResumeReading, and flow control holds the client back; what came joined to the
  // present message (joined.h) is still handled. A client that is held back does not count as silent. Its half-close
  // waits behind its messages; a cancel, a drain and the stream's own end do not wait. Both are idempotent.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
};

}  // namespace hail::rpc
