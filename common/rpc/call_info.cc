#include "common/rpc/call_info.h"

#include <chrono>

#include "common/rpc/metadata.h"

namespace hail::rpc {
namespace {

std::string Metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  // "None" comes as the far end of the clock.
  if (deadline > std::chrono::system_clock::now() + std::chrono::hours(24 * 365)) return absl::InfiniteFuture();
  return absl::FromChrono(deadline);
}

}  // namespace

CallInfo CallInfoOf(const grpc::CallbackServerContext& context) {
  CallInfo info;
  info.deadline = DeadlineOf(context);
  info.traceparent = CheckedTraceparent(Metadata(context, "traceparent"));
  info.request_id = CheckedRequestId(Metadata(context, "x-request-id"));
  info.peer = context.peer();
  info.caller = CallerOf(context);
  return info;
}

}  // namespace hail::rpc
