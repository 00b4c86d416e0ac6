// The context of a call that came over gRPC.
#pragma once

#include "common/rpc/call_context.h"
#include "grpcpp/server_context.h"

namespace hail::rpc {

class GrpcCallContext final : public CallContext {
 public:
  // `context` must live for as long as cancelled() is asked.
  explicit GrpcCallContext(const grpc::CallbackServerContext& context);

  bool cancelled() const override { return context_.IsCancelled(); }

 private:
  const grpc::CallbackServerContext& context_;
};

}  // namespace hail::rpc
