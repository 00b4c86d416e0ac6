// Writes recorded calls into the audit log.
#pragma once

#include "absl/status/status.h"
#include "common/audit/audit_log.h"
#include "common/limits/key.h"
#include "common/rpc/call_recorder.h"
#include "common/time/clock.h"

namespace hail {

// Thread-safe. Denied calls are sampled by subject, those of nobody by network.
class CallAudit final : public rpc::CallRecorder {
 public:
  // Both must outlive it. `clock`: for wall time.
  CallAudit(audit::AuditLog* log, const Clock* clock);

  void OnCall(const rpc::RecordedCall& call, const absl::Status& status) override;

 private:
  audit::AuditLog* const log_;
  const Clock* const clock_;
  const limits::Keys keys_;
};

}  // namespace hail
