// The TLS of a service: its listeners, its calls to the other service, and new certificates while it serves.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/audit/audit_log.h"
#include "common/auth/caller.h"
#include "common/config/tls_keys.h"
#include "common/exec/loop.h"
#include "common/metrics/metrics.h"
#include "common/rpc/peer_authenticator.h"
#include "common/rpc/tls.h"
#include "common/tls/identity_reload.h"
#include "common/tls/peer_names.h"
#include "common/tls/private_identity.h"

namespace hail {

// Looks at the files each second. A new set that is good is used by every connection made a second or two later; open
// connections and their streams stay. A bad one changes nothing.
//
// Series: tls_certificate_expires_seconds (of the set in use, in epoch seconds);
// tls_reloads_total{result="ok"|"failed"}; tls_files_bad (1 while the files on disk cannot be used). Log: tls_loaded,
// tls_reloaded, tls_not_reloaded, and tls_peer_refused, at most once a second: a peer has a good certificate, but no
// name on the list. Audit log: certificate_loaded, certificate_not_loaded. Thread-safe.
class ServiceTls {
 public:
  // `peer`: what the other service is (kRiderService, kDriverService). `audit` and `registry` must outlive it.
  // INVALID_ARGUMENT if the files cannot be used, UNAVAILABLE if they cannot be copied.
  static absl::StatusOr<std::unique_ptr<ServiceTls>> Start(const config::TlsSettings& settings, auth::Role peer,
                                                           audit::AuditLog* audit, metrics::Registry* registry);
  ~ServiceTls();
  ServiceTls(const ServiceTls&) = delete;
  ServiceTls& operator=(const ServiceTls&) = delete;

  // Of listen: lets in edges. Null if it has no TLS.
  std::shared_ptr<grpc::ServerCredentials> Public() const;
  // Of internal_listen: lets in the other service and operators.
  std::shared_ptr<grpc::ServerCredentials> Internal() const;
  // Who calls on internal_listen. Lives as long as this.
  const rpc::Authenticator& InternalCallers() const { return callers_; }
  // Of calls to the other service.
  std::shared_ptr<grpc::ChannelCredentials> Peer() const;

 private:
  ServiceTls(const config::TlsSettings& settings, auth::Role peer, tls::PrivateIdentity copy, tls::IdentityPem pem,
             audit::AuditLog* audit, metrics::Registry* registry);
  void Look();
  void Refuse(const std::string& problems);
  void Use(const char* event, const tls::IdentityInfo& info);

  const config::TlsSettings settings_;
  audit::AuditLog* const audit_;
  tls::PrivateIdentity copy_;
  tls::IdentityReload reload_;
  const rpc::TlsIdentity identity_;
  const rpc::PeerAuthenticator callers_;
  const metrics::Gauge expires_;
  const metrics::Gauge bad_;
  const metrics::Counter loaded_;
  const metrics::Counter failed_;
  // Last member: its thread uses the members above.
  Loop watch_{"tls"};
};

}  // namespace hail
