#include "common/audit/rule.h"

#include "common/errors/error.h"

namespace hail::audit {

bool IsDenied(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return true;
    case absl::StatusCode::kResourceExhausted:
      return HasReason(status, Reason::kRateLimited);
    default:
      return false;
  }
}

bool IsAudited(Audited row, const auth::Caller& caller) {
  if (row != Audited::kStaff) return row == Audited::kAlways;
  const auth::Identity* const identity = caller.identity();
  return identity != nullptr && (identity->role == auth::Role::kServer || identity->role == auth::Role::kOperator);
}

}  // namespace hail::audit
