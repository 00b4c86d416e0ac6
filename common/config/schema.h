// The configuration keys of a program, each with a type, a default, a sentence of documentation and a check.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace hail::config {

// In files: a JSON string, whole number, number, boolean, string ("15s", "250ms", "1h30m"), number from 0 to 1.
// In the environment and in --set the same as text.
enum class Type { kString, kInt, kDouble, kBool, kDuration, kProbability };

// A probability is stored as a double.
using Value = std::variant<std::string, std::int64_t, double, bool, absl::Duration>;

// Returns the fault of a value ("must be at least 1"); empty: none.
using Check = std::function<std::string(const Value&)>;

struct Key {
  // Dotted words: "store.url". In the environment HAIL_STORE_URL.
  std::string name;
  Type type = Type::kString;
  // As text. The default of a string may hold {other.key}, which is replaced by that key's effective value.
  std::string default_text;
  // One sentence for people, with the unit.
  std::string doc;
  Check check;
  // Never printed, neither by --print-config nor in a problem.
  bool secret = false;
  // The printable part of a string; null: all of it. Must accept text that is not valid for the key.
  std::function<std::string(const std::string&)> redacted = nullptr;
};

// The effective value of every key of a schema. Copyable, immutable, thread-safe. A request for an unknown key, or with
// a type other than the key's, is a bug and aborts.
class Values {
 public:
  explicit Values(std::map<std::string, Value> values = {}) : values_(std::move(values)) {}

  const std::string& String(std::string_view key) const;
  std::int64_t Int(std::string_view key) const;
  // Also for probabilities.
  double Double(std::string_view key) const;
  bool Bool(std::string_view key) const;
  absl::Duration Duration(std::string_view key) const;

 private:
  const Value& Of(std::string_view key) const;

  std::map<std::string, Value> values_;
};

// Built once at start; not thread-safe while being built. Two keys of the same name or environment name abort.
class Schema {
 public:
  // Adds a key of any type; the functions below are short forms.
  Schema& Add(Key key);
  Schema& String(std::string name, std::string default_text, std::string doc, Check check = nullptr);
  Schema& Int(std::string name, std::int64_t default_value, std::string doc, Check check = nullptr);
  Schema& Double(std::string name, double default_value, std::string doc, Check check = nullptr);
  Schema& Bool(std::string name, bool default_value, std::string doc);
  Schema& Duration(std::string name, absl::Duration default_value, std::string doc, Check check = nullptr);
  Schema& Probability(std::string name, double default_value, std::string doc);

  // A check across keys. Runs only when every single value is valid; returns all its problems.
  Schema& CheckAll(std::function<std::vector<std::string>(const Values&)> check);

  const std::vector<Key>& keys() const { return keys_; }
  const Key* Find(std::string_view name) const;
  const std::vector<std::function<std::vector<std::string>(const Values&)>>& checks() const { return checks_; }

 private:
  std::vector<Key> keys_;
  std::vector<std::function<std::vector<std::string>(const Values&)>> checks_;
};

// "HAIL_STORE_URL" for "store.url".
std::string EnvironmentName(std::string_view key);

// Checks. Each accepts values of its own type only.
Check NotEmpty();
Check IntFrom(std::int64_t least, std::int64_t most);
Check DoubleFrom(double least, double most);
Check DurationFrom(absl::Duration least, absl::Duration most);
Check OneOf(std::vector<std::string> choices);
// HOST:PORT to listen on or to call: 127.0.0.1:50051, [::1]:0, name:443. Port 0 only if `allow_zero_port`.
Check Address(bool allow_zero_port);
// The address of the other service: a target of common/rpc/target.h with valid addresses.
Check Peer();

// The schema for people: one line per key for --help, a Markdown table for --help-markdown.
std::string HelpText(const Schema& schema);
std::string HelpMarkdown(const Schema& schema);

}  // namespace hail::config
