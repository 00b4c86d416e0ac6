// The context of a call over gRPC.
#pragma once

#include "common/rpc/call_context.h"
#include "grpcpp/server_context.h"

namespace hail::rpc {

class GrpcCallContext final : public CallContext {
 public:
  // `context` must outlive the last call of cancelled().
  GrpcCallContext(const grpc::CallbackServerContext& context, auth::Caller who,
                  const std::optional<limits::Network>& from, CallRecorder* records);

  bool cancelled() const override { return context_.IsCancelled(); }

 private:
  const grpc::CallbackServerContext& context_;
};

}  // namespace hail::rpc
