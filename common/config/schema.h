// The configuration keys of a program, each with a type, a default, a sentence of documentation and a
// check.
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

// A probability is held as a double.
using Value = std::variant<std::string, std::int64_t, double, bool, absl::Duration>;

// Says what is wrong with a value ("must be at least 1"); empty: nothing.
using Check = std::function<std::string(const Value&)>;

struct Key {
  // Dotted words: "store.url". In the environment HAIL_STORE_URL.
  std::string name;
  Type type = Type::kString;
  // As text. A string's may hold {other.key}, which becomes that key's effective value.
  std::string default_text;
  // One sentence for people, with the unit.
  std::string doc;
  Check check;
  // Never printed, neither by --print-config nor in a problem.
  bool secret = false;
  // What of a string may be printed; null: all of it. Must bear a text that is not what the key wants.
  std::function<std::string(const std::string&)> redacted = nullptr;
};

// The effective value of every key of a schema. Copyable, immutable, thread-safe. Asking for a key that the schema does
// not have, or for another type than the key's, is a bug and aborts.
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

// Built once at start; not thread-safe while being built. Two keys of one name, or of one environment name, abort.
class Schema {
 public:
  // Adds a key of any kind; the next ones are short for it.
  Schema& Add(Key key);
  Schema& String(std::string name, std::string default_text, std::string doc, Check check = nullptr);
  Schema& Int(std::string name, std::int64_t default_value, std::string doc, Check check = nullptr);
  Schema& Double(std::string name, double default_value, std::string doc, Check check = nullptr);
  Schema& Bool(std::string name, bool default_value, std::string doc);
  Schema& Duration(std::string name, absl::Duration default_value, std::string doc, Check check = nullptr);
  Schema& Probability(std::string name, double default_value, std::string doc);

  // A check across keys. Runs only when every single value is good; returns all it finds wrong.
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

// Checks. Each is for values of its own type only.
Check NotEmpty();
Check IntFrom(std::int64_t least, std::int64_t most);
Check DoubleFrom(double least, double most);
Check DurationFrom(absl::Duration least, absl::Duration most);
Check OneOf(std::vector<std::string> choices);
// HOST:PORT as a service listens on or is called at: 127.0.0.1:50051, [::1]:0, name:443. Port 0 only if `allow_zero`.
Check Address(bool allow_zero_port);
// Where the other service is: a target of common/rpc/target.h whose addresses are good.
Check Peer();

// The schema for people: one line a key for --help, a Markdown table for --help-markdown.
std::string HelpText(const Schema& schema);
std::string HelpMarkdown(const Schema& schema);

}  // namespace hail::config
