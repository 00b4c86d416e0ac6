// Channels to the other service.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"

namespace hail::rpc {

// A method that may be repeated without harm.
struct IdempotentMethod {
  // "hail.internal.v1.DispatchService"
  std::string service;
  // "SearchDrivers"
  std::string method;
};

// A channel to `target` (common/rpc/target.h), over all its addresses in turn (round_robin). If the target names
// replicas, only over those whose health is SERVING. Reconnects with a back-off of at most 2 s; keepalive; messages up
// to 16 MiB. gRPC retries `idempotent` methods that end UNAVAILABLE, a few times and within the call's deadline; it
// throttles retries when many fail. `credentials`: null for plaintext (common/rpc/tls.h).
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target,
                                           const std::vector<IdempotentMethod>& idempotent = {},
                                           std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr);

}  // namespace hail::rpc
