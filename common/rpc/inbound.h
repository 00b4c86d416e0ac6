// What streams with an inbound half do with a message.
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

// Hands a message to the session, and reads on.
template <typename Request>
void TakeIn(StreamCall& call, StreamWriterBase& writer, const Request& message) {
  call.OnInbound();
  ForEachJoined(message, [&](const Request& each) {
    // As if each were read by itself: none after the stream has begun to end.
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

  // For the next read: gRPC's until OnRead.
  grpc::ByteBuffer* next() { return &bytes_; }

  // What the read brought; `ok` false: nothing, and no read will.
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
  // Of the read before: what it has allocated is used again.
  Request message_;
};

}  // namespace hail::rpc::detail
