#include "common/rpc/client_network.h"

#include <memory>
#include <string_view>

#include "grpcpp/security/auth_context.h"

namespace hail::rpc {

std::optional<limits::Network> NetworkOf(const grpc::ServerContextBase& call, bool peer_is_edge) {
  // Of several headers of this name, the edge appended to the last.
  std::string_view forwarded_for;
  const auto [first, end] = call.client_metadata().equal_range("x-forwarded-for");
  for (auto header = first; header != end; ++header) forwarded_for = {header->second.data(), header->second.size()};
  return limits::ClientNetwork(call.peer(), peer_is_edge, forwarded_for);
}

std::optional<limits::Network> NetworkOf(const grpc::ServerContextBase& call) {
  const std::shared_ptr<const grpc::AuthContext> connection = call.auth_context();
  return NetworkOf(call, connection != nullptr && connection->IsPeerAuthenticated());
}

}  // namespace hail::rpc
