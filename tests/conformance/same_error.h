// Compares the errors of two stores.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "common/errors/error.h"

namespace hail {

// Compares the parts of an error that callers may rely on: code, reason, field and metadata. Messages are for people.
inline bool SameError(const absl::Status& a, const absl::Status& b) {
  if (a.code() != b.code()) return false;
  const std::optional<ErrorDetails> details_a = DetailsOf(a);
  const std::optional<ErrorDetails> details_b = DetailsOf(b);
  if (details_a.has_value() != details_b.has_value()) return false;
  return !details_a || (details_a->reason == details_b->reason && details_a->field == details_b->field &&
                        details_a->metadata == details_b->metadata);
}

}  // namespace hail
