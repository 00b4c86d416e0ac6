// Classes of code points, for ids, texts, logs and terminals. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hail {

// The code point at the start of `text` and its length in bytes; 0 if `text` is empty or does not start with valid
// UTF-8 (RFC 3629).
std::size_t CodePointAt(std::string_view text, char32_t* code);

// Cc: C0, DEL and C1.
bool IsControl(char32_t code);

// Invisible characters that change how other text is read or shown: zero-width and direction characters, tags, line and
// paragraph separators. Unicode's Cf without visible ones, plus Zl and Zp.
bool IsFormat(char32_t code);

// The two of them that words and emoji need: ZWNJ (Persian) and ZWJ (emoji).
bool IsJoiner(char32_t code);

// Invisible characters without effect on other text: variation selectors, fillers (Default_Ignorable_Code_Point).
bool IsIgnorable(char32_t code);

// Unicode's White_Space.
bool IsSpace(char32_t code);

// Appends a JSON escape: "\u001b", or a surrogate pair of escapes.
void AppendEscaped(char32_t code, std::string* out);

}  // namespace hail
