#include "common/audit/rule.h"

#include <utility>

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

bool DenialSampler::Pass(Count* count, int at_first, std::int64_t second) {
  if (std::exchange(count->second, second) != second) count->in_second = 0;
  const std::uint64_t before = count->in_second++;
  return before < static_cast<std::uint64_t>(at_first) || before % kOneIn == 0;
}

std::optional<std::uint64_t> DenialSampler::Sample(const limits::Key& caller, absl::Time now) {
  const std::int64_t second = absl::ToUnixSeconds(now);
  Count& mine = callers_.Use(caller);
  if (!Pass(&mine, kEach, second) || !Pass(&all_, kAll, second)) {
    ++mine.skipped;
    return std::nullopt;
  }
  return std::exchange(mine.skipped, 0);
}

}  // namespace hail::audit
