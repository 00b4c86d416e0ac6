#include "common/rpc/retry.h"

#include <algorithm>

#include "common/errors/error.h"

namespace hail::rpc {

bool IsAnswer(absl::StatusCode code, bool by_hail) {
  if (code == absl::StatusCode::kOk) return true;
  if (!by_hail) return false;
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return false;
    default:
      return true;
  }
}

bool IsAnswer(const absl::Status& status) {
  return IsAnswer(status.code(), DetailsOf(status).has_value()) && !HasReason(status, Reason::kTokenExpired);
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const std::optional<ErrorDetails> details = DetailsOf(status);
  return details ? details->retry_after : std::nullopt;
}

absl::Duration Backoff::Next(double random, std::optional<absl::Duration> asked) {
  const absl::Duration own = next_ * (1 - random / 2);
  next_ = std::min(2 * next_, kMost);
  return std::max(own, asked.value_or(absl::ZeroDuration()));
}

}  // namespace hail::rpc
