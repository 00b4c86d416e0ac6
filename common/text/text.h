// Texts that people write and others read: addresses, names, notes, labels. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace hail {

// INVALID_FIELD naming `field` unless `text` has at most `max_bytes` bytes of valid UTF-8, without control characters
// (a terminal obeys them) and without zero-width and direction characters (they make a text look like a different one).
// The joiners used in words and emoji are allowed. Ids are stricter: CheckId (common/ids/uuid.h).
absl::Status CheckText(std::string_view text, std::size_t max_bytes, std::string_view field);

// The note of a cancelation, by a rider or a driver: CheckText with at most 512 bytes.
absl::Status CheckNote(std::string_view note, std::string_view field);

// `text` for a terminal: characters that CheckText refuses as \u001b, bytes that are not UTF-8 as U+FFFD. Idempotent. A
// JSON text stays the same JSON.
std::string Shown(std::string_view text);

// The same for multi-line texts: newlines stay.
std::string ShownLines(std::string_view text);

}  // namespace hail
