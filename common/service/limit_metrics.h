// Metrics of the limits of callers, and of the audit log.
#pragma once

#include <memory>

#include "common/audit/audit_log.h"
#include "common/metrics/metrics.h"
#include "common/rpc/gate.h"

namespace hail {

// Series: calls_limited_total, rate_buckets, connections_refused_total and audit_lines_total{what}, where `what` is
// written, skipped (by sampling) or lost.
class LimitMetrics {
 public:
  // All must outlive it.
  LimitMetrics(metrics::Registry* registry, const rpc::Gate* gate, const audit::AuditLog* audit);

 private:
  std::shared_ptr<void> refresh_;
};

}  // namespace hail
