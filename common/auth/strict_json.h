// JSON from strangers: one reading of it, and not more than its reader can use.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "nlohmann/json_fwd.hpp"

namespace hail::auth {

struct JsonLimits {
  // Objects and arrays within each other, the outermost included.
  int depth = 1;
  // Of all objects together.
  std::size_t members = 64;
};

// The JSON object `text`; nullopt if it is none, exceeds the limits, or names a member twice (RFC 8725 section 2.7: two
// readers could each take another one). `why` then says so in a few words, without words of `text`. Thread-safe.
std::optional<nlohmann::json> ParseStrictObject(std::string_view text, const JsonLimits& limits, std::string* why);

}  // namespace hail::auth
