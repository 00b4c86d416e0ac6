// Detects the encoding of text files.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"

namespace hail {

// The offset of the text in a file that begins with `bytes` (its first four, or all): after a byte order mark of UTF-8,
// which editors and spreadsheets write, otherwise 0. INVALID_ARGUMENT for UTF-16 and UTF-32, with or without a mark:
// "is in UTF-16, …".
absl::StatusOr<std::size_t> Utf8Begin(std::string_view bytes);

}  // namespace hail
