#include "common/rpc/call_info.h"

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

CallInfo CallInfoOf(const grpc::CallbackServerContext& context) {
  CallInfo info;
  info.deadline = FromGrpcDeadline(context.raw_deadline());
  info.traceparent = CheckedTraceparent(Metadata(context, "traceparent"));
  info.request_id = CheckedRequestId(Metadata(context, "x-request-id"));
  info.peer = context.peer();
  info.caller = CallerOf(context);
  return info;
}

}  // namespace hail::rpc
