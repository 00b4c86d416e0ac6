#include "common/config/schema.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace hail::config {
namespace {

[[noreturn]] void Bug(const std::string& what) {
  std::fprintf(stderr, "configuration schema: %s\n", what.c_str());
  std::abort();
}

template <typename T>
const T& As(const Value& value, std::string_view key) {
  const T* typed = std::get_if<T>(&value);
  if (typed == nullptr) Bug(absl::StrCat("key ", std::string(key), " is asked for as another type than it has"));
  return *typed;
}

}  // namespace

const Value& Values::Of(std::string_view key) const {
  const auto found = values_.find(std::string(key));
  if (found == values_.end()) Bug(absl::StrCat("key ", std::string(key), " is asked for and not declared"));
  return found->second;
}

const std::string& Values::String(std::string_view key) const { return As<std::string>(Of(key), key); }
std::int64_t Values::Int(std::string_view key) const { return As<std::int64_t>(Of(key), key); }
double Values::Double(std::string_view key) const { return As<double>(Of(key), key); }
bool Values::Bool(std::string_view key) const { return As<bool>(Of(key), key); }
absl::Duration Values::Duration(std::string_view key) const { return As<absl::Duration>(Of(key), key); }

Schema& Schema::Add(Key key) {
  for (const Key& other : keys_) {
    if (EnvironmentName(other.name) == EnvironmentName(key.name)) {
      Bug(absl::StrCat("keys ", other.name, " and ", key.name, " share a name in the environment"));
    }
  }
  keys_.push_back(std::move(key));
  return *this;
}

Schema& Schema::String(std::string name, std::string default_text, std::string doc, Check check) {
  return Add({std::move(name), Type::kString, std::move(default_text), std::move(doc), std::move(check)});
}

Schema& Schema::Int(std::string name, std::int64_t default_value, std::string doc, Check check) {
  return Add({std::move(name), Type::kInt, absl::StrCat(default_value), std::move(doc), std::move(check)});
}

Schema& Schema::Double(std::string name, double default_value, std::string doc, Check check) {
  return Add({std::move(name), Type::kDouble, absl::StrCat(default_value), std::move(doc), std::move(check)});
}

Schema& Schema::Bool(std::string name, bool default_value, std::string doc) {
  return Add({std::move(name), Type::kBool, default_value ? "true" : "false", std::move(doc)});
}

Schema& Schema::Duration(std::string name, absl::Duration default_value, std::string doc, Check check) {
  return Add({std::move(name), Type::kDuration, absl::FormatDuration(default_value), std::move(doc), std::move(check)});
}

Schema& Schema::Probability(std::string name, double default_value, std::string doc) {
  return Add({std::move(name), Type::kProbability, absl::StrCat(default_value), std::move(doc)});
}

Schema& Schema::CheckAll(std::function<std::vector<std::string>(const Values&)> check) {
  checks_.push_back(std::move(check));
  return *this;
}

const Key* Schema::Find(std::string_view name) const {
  for (const Key& key : keys_) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string EnvironmentName(std::string_view key) {
  return absl::StrCat("HAIL_", absl::AsciiStrToUpper(absl::StrReplaceAll(std::string(key), {{".", "_"}})));
}

}  // namespace hail::config
