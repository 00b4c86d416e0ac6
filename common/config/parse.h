// Converts text to typed values and back. Internal to common/config.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/config/schema.h"

namespace hail::config {

// The error message names the type that the text does not have ("is not a whole number"); it does not repeat the text.
absl::StatusOr<Value> ParseValue(Type type, const std::string& text);

// Text that ParseValue reads back as the same value.
std::string FormatValue(const Value& value);

// "duration", "whole number", …
std::string TypeName(Type type);

}  // namespace hail::config
