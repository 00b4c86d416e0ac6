#include "common/auth/strict_json.h"

#include <set>
#include <vector>

#include "nlohmann/json.hpp"

namespace hail::auth {

std::optional<nlohmann::json> ParseStrictObject(std::string_view text, const JsonLimits& limits, std::string* why) {
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> seen;
  std::size_t members = 0;
  bool twice = false;
  bool deep = false;
  // The parser goes on after a fault, but keeps nothing of what is too deep.
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
        seen.emplace_back();
        [[fallthrough]];
      case Json::parse_event_t::array_start:
        // `depth` counts what is around it.
        if (depth >= limits.depth) deep = true;
        return !deep;
      case Json::parse_event_t::object_end:
        seen.pop_back();
        return true;
      case Json::parse_event_t::key:
        ++members;
        if (!seen.back().insert(parsed.get<std::string>()).second) twice = true;
        return true;
      default:
        return true;
    }
  };
  // The parser takes a NUL for the end of the text, whatever follows.
  const bool ends_early = text.find('\0') != std::string_view::npos;
  Json object = Json::parse(text, watch, /*allow_exceptions=*/false);
  // Before the result: an object that is too deep is discarded, and so is a text that is no JSON.
  if (deep) {
    *why = "JSON that is nested too deeply";
  } else if (twice) {
    *why = "a JSON member that is there twice";
  } else if (members > limits.members) {
    *why = "more JSON members than are allowed";
  } else if (ends_early || !object.is_object()) {
    *why = "not a JSON object";
  } else {
    return object;
  }
  return std::nullopt;
}

}  // namespace hail::auth
