// The network of a call's client (limits/network.h), over gRPC.
#pragma once

#include <optional>

#include "common/limits/network.h"
#include "grpcpp/server_context.h"

namespace hail::rpc {

// `peer_is_edge`: the connection has shown the edge's certificate. nullopt if the network is not known, or is nobody's
// own: the call is the edge's, or comes from this machine.
std::optional<limits::Network> NetworkOf(const grpc::ServerContextBase& call, bool peer_is_edge);

// The same where clients show a certificate, which only the edge has.
std::optional<limits::Network> NetworkOf(const grpc::ServerContextBase& call);

}  // namespace hail::rpc
