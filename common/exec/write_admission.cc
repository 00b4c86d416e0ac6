#include "common/exec/write_admission.h"

#include <algorithm>

#include "common/errors/error.h"

namespace hail {

absl::Status WriteAdmission::Admit(bool begins_new, std::size_t queued, absl::Duration wait,
                                   absl::Duration left) const {
  // A change that waits longer than its deadline would be made without an answer. The other half of the deadline is for
  // the way back, and for the estimate's error. A deadline that has passed is judged when the transaction begins.
  const absl::Duration most = std::min(begins_new ? max_wait_of_new : max_wait, left / 2);
  if (queued < max_queue && (wait <= most || most <= absl::ZeroDuration())) return absl::OkStatus();
  constexpr char kTooMany[] = "too many changes wait for the store";
  constexpr absl::Duration kLeastRetry = absl::Seconds(1);
  // Mostly the least: then the same each time, which is cheap to say.
  static const auto* const least = new absl::Status(Overloaded(kTooMany, kLeastRetry));
  return wait <= kLeastRetry ? *least : Overloaded(kTooMany, wait);
}

}  // namespace hail
