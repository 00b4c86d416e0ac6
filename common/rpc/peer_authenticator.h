// Who calls on the internal listener: the one that the client certificate of the connection names.
#pragma once

#include "common/rpc/authenticator.h"
#include "common/tls/peer_names.h"

namespace hail::rpc {

// Immutable.
class PeerAuthenticator final : public Authenticator {
 public:
  explicit PeerAuthenticator(tls::InternalPeers peers);

  // Nobody without a certificate, or with one that has no name on the lists, or names on both. Metadata plays no part.
  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time wall) const override;

 private:
  const tls::InternalPeers peers_;
};

}  // namespace hail::rpc
