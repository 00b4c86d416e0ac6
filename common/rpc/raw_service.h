// Services of gRPC's own protocols, served as bytes on the callback API: no thread waits for their clients, and
// unreadable messages are refused with a reason.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/rpc/message_bytes.h"
#include "grpcpp/impl/rpc_service_method.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
// Newer versions of gRPC have another header for it.
#if __has_include("grpcpp/impl/server_callback_handlers.h")
#include "grpcpp/impl/server_callback_handlers.h"
#else
#include "grpcpp/impl/codegen/server_callback_handlers.h"
#endif

namespace hail::rpc {

class RawService : public grpc::Service {
 protected:
  using Bytes = grpc::ByteBuffer;

  // `path`: "/grpc.health.v1.Health/Check".
  void AddRaw(std::string path, grpc::internal::RpcMethod::RpcType type, grpc::internal::MethodHandler* handler) {
    AddMethod(new grpc::internal::RpcServiceMethod(paths_.emplace_back(std::move(path)).c_str(), type, nullptr));
    MarkMethodRawCallback(static_cast<int>(paths_.size()) - 1, handler);
  }

  template <typename Message>
  static absl::Status Read(const Bytes& bytes, Message* message) {
    // Decoding empties the buffer; the copy shares the bytes.
    Bytes copy(bytes);
    // gRPC has limited the size already.
    return detail::ReadMessage(copy, "request", copy.Length(), message);
  }

  template <typename Message>
  static Bytes Write(const Message& message) {
    Bytes bytes;
    // Fails only without memory.
    (void)detail::WriteMessage(message, &bytes);
    return bytes;
  }

 private:
  // gRPC keeps pointers to them.
  std::deque<std::string> paths_;
};

}  // namespace hail::rpc
