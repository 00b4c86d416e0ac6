// Which calls are reported to the recorder of their context (call_recorder.h).
#pragma once

#include "absl/status/status.h"
#include "common/audit/rule.h"
#include "common/rpc/call_context.h"
#include "common/rpc/call_recorder.h"
#include "common/rpc/identity.h"

namespace hail::rpc {

// Whether a call of this row is reported although it was not denied.
template <typename Request>
bool IsRecorded(const CallContext& context, const Access<Request>& access) {
  return context.recorder != nullptr && audit::IsAudited(access.audit, context.caller);
}

// Reports a call that ended with `status`, if it is to be. `request` may be null: it was not read. `call` names the
// method; the rest of it is filled in here.
template <typename Request>
void Record(RecordedCall call, const Access<Request>& access, const Request* request, const absl::Status& status) {
  if (call.context.recorder == nullptr || !(audit::IsDenied(status) || IsRecorded(call.context, access))) return;
  if (request != nullptr && access.person != nullptr) {
    if (const std::optional<Person> person = access.person(*request)) call.person = person->id;
  }
  if (request != nullptr && access.about != nullptr) call.person = access.about(*request);
  if (request != nullptr && access.ride != nullptr) call.ride = access.ride(*request);
  call.context.recorder->OnCall(call, status);
}

}  // namespace hail::rpc
