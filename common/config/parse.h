// Text to typed value and back. Internal to common/config.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/config/schema.h"

namespace hail::config {

// The error's message says what the text is not ("is not a whole number"); it does not repeat the text.
absl::StatusOr<Value> ParseValue(Type type, const std::string& text);

// As ParseValue would read it.
std::string FormatValue(const Value& value);

// "duration", "whole number", …
std::string TypeName(Type type);

}  // namespace hail::config
