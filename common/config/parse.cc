#include "common/config/parse.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hail::config {
namespace {

absl::Status Not(Type type) { return absl::InvalidArgumentError(absl::StrCat("is not a ", TypeName(type))); }

}  // namespace

std::string TypeName(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kInt:
      return "whole number";
    case Type::kDouble:
      return "number";
    case Type::kBool:
      return "boolean (true or false)";
    case Type::kDuration:
      return "duration (like \"15s\", \"250ms\" or \"1h30m\")";
    case Type::kProbability:
      return "probability (from 0 to 1)";
  }
  return "value";
}

absl::StatusOr<Value> ParseValue(Type type, const std::string& text) {
  switch (type) {
    case Type::kString:
      return Value(text);
    case Type::kInt: {
      std::int64_t number = 0;
      if (!absl::SimpleAtoi(text, &number)) return Not(type);
      return Value(number);
    }
    case Type::kDouble:
    case Type::kProbability: {
      double number = 0;
      if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) return Not(type);
      if (type == Type::kProbability && !(number >= 0 && number <= 1)) return Not(type);
      return Value(number);
    }
    case Type::kBool:
      if (text == "true") return Value(true);
      if (text == "false") return Value(false);
      return Not(type);
    case Type::kDuration: {
      absl::Duration length;
      if (!absl::ParseDuration(text, &length) || length < absl::ZeroDuration() || length == absl::InfiniteDuration()) {
        return Not(type);
      }
      return Value(length);
    }
  }
  return Not(type);
}

std::string FormatValue(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return absl::StrCat(*number);
  if (const auto* number = std::get_if<double>(&value)) return absl::StrCat(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return absl::FormatDuration(std::get<absl::Duration>(value));
}

}  // namespace hail::config
