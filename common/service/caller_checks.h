// Who may call a service's public listener, by auth.mode.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/audit/audit_log.h"
#include "common/config/service_keys.h"
#include "common/metrics/metrics.h"
#include "common/rpc/authenticator.h"
#include "common/time/clock.h"

namespace hail {

// Thread-safe.
class CallerChecks : public rpc::Authenticator {
 public:
  // Whether callers can be checked; a service that cannot says NOT_SERVING. Must not block.
  virtual bool ready() const { return true; }
};

// Logs callers_not_checked if nobody is checked. Records keys_loaded and keys_not_loaded in `audit`, which,
// `clock`, read for wall time, and `registry` must outlive the result. An error if what the settings name cannot be
// used.
absl::StatusOr<std::unique_ptr<CallerChecks>> MakeCallerChecks(const config::ServiceSettings& settings,
                                                               const Clock* clock, audit::AuditLog* audit,
                                                               metrics::Registry* registry);

}  // namespace hail
