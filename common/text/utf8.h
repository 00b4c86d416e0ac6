// What text files begin with.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"

namespace hail {

// Where the text begins in a file that begins with `bytes` (its first four, or all): behind a byte order mark of UTF-8,
// which editors and spreadsheets put there, else at 0. INVALID_ARGUMENT for UTF-16 and UTF-32, with or without a mark:
// "is in UTF-16, …".
absl::StatusOr<std::size_t> Utf8Begin(std::string_view bytes);

}  // namespace hail
