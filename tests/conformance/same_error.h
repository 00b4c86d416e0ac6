// Whether two stores refuse alike.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "common/errors/error.h"

namespace hail {

// What of an error callers may rely on: its code, and its reason with what goes with it. Texts are for people.
inline bool SameError(const absl::Status& a, const absl::Status& b) {
  if (a.code() != b.code()) return false;
  const std::optional<ErrorDetails> details_a = DetailsOf(a);
  const std::optional<ErrorDetails> details_b = DetailsOf(b);
  if (details_a.has_value() != details_b.has_value()) return false;
  return !details_a || (details_a->reason == details_b->reason && details_a->field == details_b->field &&
                        details_a->metadata == details_b->metadata);
}

}  // namespace hail
