// Instants as text.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hail::sim {

// ISO 8601 with an offset ("2008-05-22T22:00:00-07:00", "…Z") or epoch seconds, fraction allowed. INVALID_ARGUMENT
// names the expected format.
absl::StatusOr<absl::Time> ParseInstant(const std::string& text);

}  // namespace hail::sim
