#include "common/service/service_security.h"

#include <utility>

#include "common/service/serve.h"

namespace hail {

std::unique_ptr<ServiceSecurity> ServiceSecurity::Start(const config::ServiceSettings& settings,
                                                        const std::string& service, auth::Role peer, const Clock* clock,
                                                        metrics::Registry* registry) {
  const auto failed = [](const char* event, const absl::Status& why) {
    FailedToStart(event, why);
    return nullptr;
  };
  auto audit_log = audit::AuditLog::Open({.service = service, .file = settings.limits.audit_file});
  if (!audit_log.ok()) return failed("audit_not_opened", audit_log.status());
  std::unique_ptr<ServiceTls> tls;
  if (settings.tls) {
    auto started = ServiceTls::Start(*settings.tls, peer, audit_log->get(), registry);
    if (!started.ok()) return failed("tls_not_started", started.status());
    tls = *std::move(started);
  }
  auto callers = MakeCallerChecks(settings, clock, audit_log->get(), registry);
  if (!callers.ok()) return failed("callers_not_checkable", callers.status());
  return std::unique_ptr<ServiceSecurity>(
      new ServiceSecurity(settings.limits, *std::move(audit_log), std::move(tls), *std::move(callers), clock));
}

ServiceSecurity::ServiceSecurity(const config::LimitSettings& limits, std::unique_ptr<audit::AuditLog> audit_log,
                                 std::unique_ptr<ServiceTls> tls, std::unique_ptr<CallerChecks> callers,
                                 const Clock* clock)
    : limits_(limits),
      audit_log_(std::move(audit_log)),
      call_audit_(audit_log_.get(), clock),
      tls_(std::move(tls)),
      callers_(std::move(callers)) {}

rpc::GateOptions ServiceSecurity::Limited(rpc::GateOptions options) {
  options.rates = limits_.rates;
  options.subject_share = limits_.subject_share;
  options.network_share = limits_.network_share;
  options.max_streams_of_subject = limits_.streams_of_subject;
  options.recorder = &call_audit_;
  return options;
}

}  // namespace hail
