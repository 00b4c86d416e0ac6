// Calls that the transport refuses, before a table of methods sees them.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "common/auth/caller.h"
#include "common/limits/call_rates.h"
#include "common/limits/network.h"
#include "common/rpc/gate.h"
#include "grpcpp/server_context.h"

namespace hail::rpc {

// A method, and what it counts as.
struct MethodName {
  // "hail.rider.v1.RiderService", "GetRide".
  const char* service;
  const char* method;
  limits::Class limit = limits::Class::kFree;
};

namespace detail {

// Reports the call to the gate's recorder, if it was denied.
void RecordRefusal(Gate* gate, const grpc::CallbackServerContext& context, auth::Caller caller,
                   const std::optional<limits::Network>& network, const MethodName& method, bool stream,
                   const absl::Status& status);

}  // namespace detail

}  // namespace hail::rpc
