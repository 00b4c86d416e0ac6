// Who may connect to a service and call it, made from its settings: TLS, callers' tokens, limits and the audit log.
#pragma once

#include <memory>
#include <string>

#include "common/audit/audit_log.h"
#include "common/auth/caller.h"
#include "common/config/service_keys.h"
#include "common/metrics/metrics.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/gate.h"
#include "common/service/call_audit.h"
#include "common/service/caller_checks.h"
#include "common/service/service_tls.h"
#include "common/time/clock.h"

namespace hail {

// Thread-safe.
class ServiceSecurity {
 public:
  // `service`: its name in the audit log. `peer`: what the other service is (kRiderService, kDriverService). `clock`
  // and `registry` must outlive it. If the settings cannot be used, logs why (audit_not_opened, tls_not_started,
  // callers_not_checkable) and returns null.
  static std::unique_ptr<ServiceSecurity> Start(const config::ServiceSettings& settings, const std::string& service,
                                                auth::Role peer, const Clock* clock, metrics::Registry* registry);

  // Null: no TLS.
  const ServiceTls* tls() const { return tls_.get(); }
  // Of calls to the other service. Null: no TLS.
  std::shared_ptr<grpc::ChannelCredentials> ToPeer() const { return tls_ == nullptr ? nullptr : tls_->Peer(); }

  // Who calls on the public listener, and on the internal one. Both live as long as this.
  const rpc::Authenticator* public_callers() const { return callers_.get(); }
  // Without TLS, everybody who reaches the internal listener is trusted.
  const rpc::Authenticator* internal_callers() const {
    return tls_ == nullptr ? &rpc::ChecksNobody() : &tls_->InternalCallers();
  }
  // Whether callers can be checked; a service that cannot says NOT_SERVING. Does not block.
  bool ready() const { return callers_->ready(); }

  // `options` with the limits of callers, and with the audit of their calls.
  rpc::GateOptions Limited(rpc::GateOptions options);

  const audit::AuditLog* audit_log() const { return audit_log_.get(); }

 private:
  ServiceSecurity(const config::LimitSettings& limits, std::unique_ptr<audit::AuditLog> audit_log,
                  std::unique_ptr<ServiceTls> tls, std::unique_ptr<CallerChecks> callers, const Clock* clock);

  const config::LimitSettings limits_;
  // The members below use it.
  const std::unique_ptr<audit::AuditLog> audit_log_;
  CallAudit call_audit_;
  const std::unique_ptr<ServiceTls> tls_;
  const std::unique_ptr<CallerChecks> callers_;
};

}  // namespace hail
