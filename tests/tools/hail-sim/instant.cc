#include "tests/tools/hail-sim/instant.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hail::sim {

absl::StatusOr<absl::Time> ParseInstant(const std::string& text) {
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    if (!std::isfinite(seconds)) return absl::InvalidArgumentError(absl::StrCat("not an instant: ", text));
    return absl::UnixEpoch() + absl::Seconds(seconds);
  }
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return time;
  return absl::InvalidArgumentError(absl::StrCat("'", text,
                                                 "' is neither epoch seconds nor ISO 8601 with an offset, like "
                                                 "2008-05-22T22:00:00-07:00"));
}

}  // namespace hail::sim
