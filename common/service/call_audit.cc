#include "common/service/call_audit.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/audit/entry.h"
#include "common/audit/rule.h"
#include "common/ids/uuid.h"
#include "common/rpc/call_context.h"

namespace hail {

CallAudit::CallAudit(audit::AuditLog* log, const Clock* clock) : log_(log), clock_(clock), keys_(SystemRandom()) {}

void CallAudit::OnCall(const rpc::RecordedCall& call, const absl::Status& status) {
  const rpc::CallContext& context = call.context;
  audit::Entry entry{.wall = clock_->Read().wall, .event = call.stream ? "stream" : "call"};
  audit::SetCaller(context.caller, &entry);
  entry.peer = context.peer;
  if (context.network) entry.client = context.network->Text();
  entry.method = absl::StrCat(std::string(call.service), "/", std::string(call.method));
  entry.person = call.person;
  entry.ride = call.ride;
  entry.request_id = context.request_id;
  audit::SetResult(status, &entry);
  if (!audit::IsDenied(status)) return log_->Record(entry);
  const auth::Identity* const identity = context.caller.identity();
  limits::Key caller;
  if (identity != nullptr) {
    caller = keys_.OfSubject(auth::RoleName(identity->role), identity->subject);
  } else if (context.network) {
    caller = keys_.OfNetwork(*context.network);
  }
  log_->RecordDenied(caller, std::move(entry));
}

}  // namespace hail
