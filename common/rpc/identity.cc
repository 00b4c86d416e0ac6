#include "common/rpc/identity.h"

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/ids/uuid.h"

namespace hail::rpc {

absl::Status CheckSpeaksFor(const Caller& caller, const std::string& id, const std::string& field) {
  if (absl::Status status = CheckId(id, field); !status.ok()) return status;
  if (caller.subject.empty() || caller.subject == id) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, "the caller may not act for the " + field + " named",
                   {.reason = Reason::kIdentityMismatch});
}

}  // namespace hail::rpc
