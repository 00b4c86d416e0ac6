#include "common/rpc/peer_authenticator.h"

#include <memory>
#include <utility>

#include "common/rpc/tls.h"

namespace hail::rpc {

PeerAuthenticator::PeerAuthenticator(tls::InternalPeers peers) : peers_(std::move(peers)) {}

absl::StatusOr<auth::Caller> PeerAuthenticator::Authenticate(const grpc::ServerContextBase& call, absl::Time) const {
  const std::shared_ptr<const grpc::AuthContext> connection = call.auth_context();
  if (connection == nullptr || !connection->IsPeerAuthenticated()) return auth::Caller();
  return tls::InternalCaller(PeerNamesOf(*connection), peers_);
}

}  // namespace hail::rpc
