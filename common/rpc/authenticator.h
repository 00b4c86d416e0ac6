// Where a listener's callers get their identity.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/auth/caller.h"
#include "common/limits/network.h"
#include "grpcpp/server_context.h"

namespace hail::rpc {

// One for each listener. Thread-safe; called for each call, on gRPC's threads: must not block.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // The caller of `call`, by its metadata and its connection. UNAUTHENTICATED if it shows what is not valid. A caller
  // who shows nothing is nobody, or UNAUTHENTICATED. `wall`: the present wall time of the process, by which the
  // identity ends.
  //
  // The answer belongs to the call alone: one connection carries calls of many callers.
  virtual absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time wall) const = 0;
  // The network that the call comes from, if its calls are limited: see client_network.h. nullopt: they are not.
  virtual std::optional<limits::Network> NetworkOf(const grpc::ServerContextBase& /*call*/) const {
    return std::nullopt;
  }
};

// For listeners that check nobody. Lives forever.
const Authenticator& ChecksNobody();

}  // namespace hail::rpc
