// What a call says about itself beside its request.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/rpc/identity.h"
#include "grpcpp/server_context.h"

namespace hail::rpc {

struct CallInfo {
  // Wall time; InfiniteFuture if the caller set none.
  absl::Time deadline = absl::InfiniteFuture();
  // W3C trace context, to be passed on in calls made for this one. Empty: none, or malformed.
  std::string traceparent;
  // Metadata x-request-id, for logs; at most 128 printable bytes. Empty: none, or malformed.
  std::string request_id;
  // Where the call came from ("ipv4:127.0.0.1:41234").
  std::string peer;
  // Who calls.
  Caller caller;
};

CallInfo CallInfoOf(const grpc::CallbackServerContext& context);

}  // namespace hail::rpc
