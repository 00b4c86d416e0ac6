// Code points, as far as ids, texts, logs and terminals need to tell them apart. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hail {

// The code point at the front of `text` and how many bytes it has; 0 bytes where UTF-8 (RFC 3629) does not allow what
// stands there, or `text` is empty.
std::size_t CodePointAt(std::string_view text, char32_t* code);

// Cc: C0, DEL and C1.
bool IsControl(char32_t code);

// What is not seen but changes how the rest is read or shown: zero-width and direction characters, tags, line and
// paragraph separators. Unicode's Cf without those that print, with Zl and Zp.
bool IsFormat(char32_t code);

// The two of them that words are spelled with: ZWNJ (Persian) and ZWJ (emoji).
bool IsJoiner(char32_t code);

// Not seen either, without meaning for others: variation selectors, fillers (Default_Ignorable_Code_Point).
bool IsIgnorable(char32_t code);

// Unicode's White_Space.
bool IsSpace(char32_t code);

// "\u001b", or a surrogate pair of these: an escape of JSON.
void AppendEscaped(char32_t code, std::string* out);

}  // namespace hail
