#include "common/rpc/grpc_call_context.h"

#include <string>
#include <utility>

#include "common/rpc/deadline.h"
#include "common/rpc/metadata.h"

namespace hail::rpc {
namespace {

std::string Metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

}  // namespace

GrpcCallContext::GrpcCallContext(const grpc::CallbackServerContext& context, auth::Caller who,
                                 const std::optional<limits::Network>& from, CallRecorder* records)
    : context_(context) {
  deadline = FromGrpcDeadline(context.raw_deadline());
  traceparent = CheckedTraceparent(Metadata(context, "traceparent"));
  request_id = CheckedRequestId(Metadata(context, "x-request-id"));
  peer = context.peer();
  network = from;
  recorder = records;
  caller = std::move(who);
}

}  // namespace hail::rpc
