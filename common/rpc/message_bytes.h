// Messages as the bytes that gRPC carries. gRPC itself hands bytes to our servers and takes bytes from them, so that
// what cannot be read is refused by us, with a reason and in the metrics; gRPC would answer UNIMPLEMENTED, or end a
// stream with OK.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "grpcpp/support/byte_buffer.h"
// Newer gRPC has moved it.
#if __has_include("grpcpp/impl/proto_utils.h")
#include "grpcpp/impl/proto_utils.h"
#else
#include "grpcpp/impl/codegen/proto_utils.h"
#endif

namespace hail::rpc::detail {

inline absl::Status TooLarge(const char* what, std::size_t max_bytes) {
  return InvalidField("", "the " + std::string(what) + " is larger than " + std::to_string(max_bytes) + " bytes");
}

// Reads what came in; UNREADABLE_MESSAGE where that is no such message (or none at all), INVALID_FIELD where it is
// larger than `max_bytes`. Lets go of the bytes. `what`: "request", say.
template <typename Message>
absl::Status ReadMessage(grpc::ByteBuffer& bytes, const char* what, std::size_t max_bytes, Message* message) {
  if (bytes.Length() > max_bytes) return TooLarge(what, max_bytes);
  // Without a copy; texts that are no UTF-8 fail as well.
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

// The message that says nothing.
inline grpc::ByteBuffer EmptyMessage() {
  const grpc::Slice nothing;
  return {&nothing, 1};
}

// A message being written: gRPC's from StartWrite to OnWriteDone.
class OutgoingMessage {
 public:
  template <typename Message>
  const grpc::ByteBuffer* Fill(const Message& message) {
    // Fails only where memory ends; the reader then sees a message that says nothing.
    bytes_.Clear();
    if (!WriteMessage(message, &bytes_).ok()) bytes_ = EmptyMessage();
    return &bytes_;
  }
  // Once it is written: an idle stream holds nothing.
  void Clear() { bytes_.Clear(); }

 private:
  grpc::ByteBuffer bytes_;
};

}  // namespace hail::rpc::detail
