#include "common/exec/write_admission.h"

#include <algorithm>

#include "common/errors/error.h"

namespace hail {

absl::Status WriteAdmission::Admit(bool begins_new, std::size_t queued, absl::Duration wait,
                                   absl::Duration left) const {
  // A change that waits beyond its deadline would be committed without an answer. The other half of the deadline allows
  // for the reply's way back and for errors of the estimate. Deadlines that have passed are rejected when the
  // transaction begins.
  const absl::Duration most = std::min(begins_new ? max_wait_of_new : max_wait, left / 2);
  if (queued < max_queue && (wait <= most || most <= absl::ZeroDuration())) return absl::OkStatus();
  constexpr char kTooMany[] = "too many changes wait for the store";
  constexpr absl::Duration kLeastRetry = absl::Seconds(1);
  // Usually the minimum applies. A shared status is then cheap to copy.
  static const auto* const least = new absl::Status(Overloaded(kTooMany, kLeastRetry));
  return wait <= kLeastRetry ? *least : Overloaded(kTooMany, wait);
}

}  // namespace hail
