// TLS of listeners and channels.
//
// gRPC reads the files again each second, so a connection made later uses what they hold then; open connections stay as
// they are. It reads whatever it finds: only give it files that are replaced as a whole
// (common/tls/private_identity.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls/identity.h"
#include "common/tls/peer_names.h"
#include "grpcpp/security/auth_context.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

namespace grpc::experimental {
class CertificateProviderInterface;
}

namespace hail::rpc {

// The identity of a service, for its listeners and its channels alike. Thread-safe.
class TlsIdentity {
 public:
  // A peer whose chain is good, but who has no name on the list. On gRPC's threads, also after this object's end.
  using OnRefused = std::function<void(const tls::PeerNames& peer)>;

  // The files must exist, and hold a good set.
  explicit TlsIdentity(const tls::IdentityFiles& files, OnRefused on_refused = nullptr);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  // TLS 1.2 or 1.3 with ALPN h2. The client needs a certificate that an authority signed and that has a name on
  // `allowed`: the handshake fails otherwise.
  std::shared_ptr<grpc::ServerCredentials> Server(const tls::NameList& allowed) const;

  // Shows the service's certificate. The server's certificate must have a name on `allowed`; the host name of the
  // target plays no part, because replicas share a name.
  std::shared_ptr<grpc::ChannelCredentials> Channel(const tls::NameList& allowed) const;

 private:
  const std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider_;
  const OnRefused on_refused_;
};

// TLS of a tool, from its command line.
struct ChannelTls {
  // File with the authorities that sign servers' certificates; empty: no TLS.
  std::string ca;
  // Files of the tool's own certificate and key; both or none.
  std::string certificate;
  std::string key;
  // Names, host or URI, with commas between: the server's certificate must have one of them. Empty: the host of the
  // address; a list of addresses (ipv4:…) has none.
  std::string server_name;
};

// For channels of a tool. Files that are replaced later are read again. INVALID_ARGUMENT lists what is wrong, one
// problem a line.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(const ChannelTls& tls);

// The names of the peer of a connection; none without TLS.
tls::PeerNames PeerNamesOf(const grpc::AuthContext& context);

}  // namespace hail::rpc
