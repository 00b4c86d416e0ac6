#include "common/rpc/call_info.h"

#include <algorithm>
#include <cctype>
#include <chrono>

namespace hail::rpc {
namespace {

constexpr std::size_t kMaxRequestId = 128;

std::string Metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

bool Printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

// https://www.w3.org/TR/trace-context/#traceparent-header: version 00 is "00-<32 hex>-<16 hex>-<2 hex>".
bool IsTraceparent(const std::string& text) {
  if (text.size() != 55) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    const bool dash = i == 2 || i == 35 || i == 52;
    if (dash ? c != '-' : !(std::isdigit(c) != 0 || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
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
  info.traceparent = Metadata(context, "traceparent");
  if (!IsTraceparent(info.traceparent)) info.traceparent.clear();
  info.request_id = Metadata(context, "x-request-id");
  if (info.request_id.size() > kMaxRequestId || !Printable(info.request_id)) info.request_id.clear();
  info.peer = context.peer();
  info.caller = CallerOf(context);
  return info;
}

}  // namespace hail::rpc
