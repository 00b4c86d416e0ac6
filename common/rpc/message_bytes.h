// Messages as the bytes that gRPC carries. Our servers exchange bytes with gRPC, so that they refuse unreadable
// messages themselves, with a reason and in the metrics. gRPC would answer UNIMPLEMENTED, or end a stream with OK.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "grpcpp/support/byte_buffer.h"
// Newer versions of gRPC have another header for it.
#if __has_include("grpcpp/impl/proto_utils.h")
#include "grpcpp/impl/proto_utils.h"
#else
#include "grpcpp/impl/codegen/proto_utils.h"
#endif

namespace hail::rpc::detail {

inline absl::Status TooLarge(const char* what, std::size_t max_bytes) {
  return InvalidField("", "the " + std::string(what) + " is larger than " + std::to_string(max_bytes) + " bytes");
}

// Decodes received bytes. UNREADABLE_MESSAGE if they are not such a message (or are missing), INVALID_FIELD if larger
// than `max_bytes`. Releases the bytes. `what`: for example "request".
template <typename Message>
absl::Status ReadMessage(grpc::ByteBuffer& bytes, const char* what, std::size_t max_bytes, Message* message) {
  if (bytes.Length() > max_bytes) return TooLarge(what, max_bytes);
  // Without a copy; also fails for texts that are not UTF-8.
  if (grpc::SerializationTraits<Message>::Deserialize(&bytes, message).ok()) return absl::OkStatus();
  bytes.Clear();
  return MakeError(absl::StatusCode::kInvalidArgument,
                   "the " + std::string(what) +
                       " cannot be read: it is cut off, has a text that is not UTF-8, or is no message of this method",
                   {.reason = Reason::kUnreadableMessage});
}

template <typename Message>
absl::Status WriteMessage(const Message& message, grpc::ByteBuffer* bytes) {
  bool owned = false;
  if (grpc::SerializationTraits<Message>::Serialize(message, bytes, &owned).ok()) return absl::OkStatus();
  return Internal("the message cannot be written");
}

// The encoded empty message.
inline grpc::ByteBuffer EmptyMessage() {
  const grpc::Slice nothing;
  return {&nothing, 1};
}

// A message being written; owned by gRPC from StartWrite to OnWriteDone.
class OutgoingMessage {
 public:
  template <typename Message>
  const grpc::ByteBuffer* Fill(const Message& message) {
    // Fails only without memory; the client then gets an empty message.
    bytes_.Clear();
    if (!WriteMessage(message, &bytes_).ok()) bytes_ = EmptyMessage();
    return &bytes_;
  }
  // Called after the write, so that an idle stream holds no message.
  void Clear() { bytes_.Clear(); }

 private:
  grpc::ByteBuffer bytes_;
};

}  // namespace hail::rpc::detail
