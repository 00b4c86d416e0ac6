// Message handling of streams with an inbound half.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "common/rpc/joined.h"
#include "common/rpc/message_bytes.h"
#include "common/rpc/stream_call.h"
#include "common/rpc/stream_session.h"
#include "common/rpc/stream_writer.h"
#include "grpcpp/support/byte_buffer.h"

namespace hail::rpc::detail {

// The client will send no more.
template <typename Request>
void TakeInEnd(StreamCall& call) {
  call.WithSession([](StreamSession& session) { static_cast<InboundSession<Request>&>(session).OnHalfClose(); });
}

// Passes a message to the session, then reads the next one.
template <typename Request>
void TakeIn(StreamCall& call, StreamWriterBase& writer, const Request& message) {
  call.OnInbound();
  ForEachJoined(message, [&](const Request& each) {
    // Treated as if read one by one: no message is handled after the stream has begun to end.
    if (&each != &message && !writer.open()) return;
    call.WithSession(
        [&each](StreamSession& session) { static_cast<InboundSession<Request>&>(session).OnMessage(each); });
  });
  writer.ReadOn();
}

// The inbound half over gRPC.
template <typename Request>
class Intake {
 public:
  explicit Intake(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // The buffer of the next read; owned by gRPC until OnRead.
  grpc::ByteBuffer* next() { return &bytes_; }

  // Handles the result of a read. If `ok` is false, there is no message, and no further read.
  void OnRead(bool ok, StreamCall& call, StreamWriterBase& writer) {
    if (!ok) return TakeInEnd<Request>(call);
    if (const absl::Status read = ReadMessage(bytes_, "message", max_bytes_, &message_); !read.ok()) {
      return writer.Abort(read);
    }
    TakeIn(call, writer, message_);
  }

 private:
  const std::size_t max_bytes_;
  grpc::ByteBuffer bytes_;
  // Kept between reads, so that its memory is reused.
  Request message_;
};

}  // namespace hail::rpc::detail
