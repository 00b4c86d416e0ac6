#include "common/config/file.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/config/parse.h"
#include "common/text/utf8.h"
#include "nlohmann/json.hpp"

namespace hail::config {
namespace {

using Json = nlohmann::json;

// The value of a JSON leaf as `type`; nullopt if the leaf has another type.
std::optional<Value> Typed(Type type, const Json& leaf) {
  switch (type) {
    case Type::kString:
      if (leaf.is_string()) return Value(leaf.get<std::string>());
      return std::nullopt;
    case Type::kInt:
      if (leaf.is_number_unsigned() && leaf.get<std::uint64_t>() > INT64_MAX) return std::nullopt;
      if (leaf.is_number_integer()) return Value(leaf.get<std::int64_t>());
      return std::nullopt;
    case Type::kBool:
      if (leaf.is_boolean()) return Value(leaf.get<bool>());
      return std::nullopt;
    case Type::kDouble:
    case Type::kProbability: {
      if (!leaf.is_number()) return std::nullopt;
      const double number = leaf.get<double>();
      if (type == Type::kProbability && !(number >= 0 && number <= 1)) return std::nullopt;
      return Value(number);
    }
    case Type::kDuration: {
      if (!leaf.is_string()) return std::nullopt;
      const auto parsed = ParseValue(type, leaf.get<std::string>());
      return parsed.ok() ? std::optional<Value>(*parsed) : std::nullopt;
    }
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(const std::string& path, const Schema& schema, std::vector<std::string>* problems)
      : path_(path), schema_(schema), problems_(*problems) {}

  void Read() {
    std::ifstream file(path_, std::ios::binary);
    // Opening a directory succeeds; only a read fails.
    file.peek();
    if (!file.is_open() || file.bad()) {
      problems_.push_back(absl::StrCat("configuration file ", path_, " cannot be read"));
      return;
    }
    std::ostringstream text;
    text << file.rdbuf();
    const std::string bytes = text.str();
    const absl::StatusOr<std::size_t> begin = Utf8Begin(bytes);
    if (!begin.ok()) {
      problems_.push_back(absl::StrCat(path_, " ", begin.status().message()));
      return;
    }
    const Json root = Parse(bytes.substr(*begin));
    if (root.is_discarded()) return;
    if (!root.is_object()) {
      problems_.push_back(absl::StrCat(path_, " does not hold a JSON object"));
      return;
    }
    Flatten(root, "");
  }

  std::vector<FileEntry> Take() { return std::move(entries_); }

 private:
  // JSON's own parser keeps the last of two equal keys. A duplicate key in a configuration is an error.
  Json Parse(const std::string& text) {
    std::vector<std::set<std::string>> seen;
    const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::object_start) seen.emplace_back();
      if (event == Json::parse_event_t::object_end) seen.pop_back();
      if (event == Json::parse_event_t::key && !seen.back().insert(parsed.get<std::string>()).second) {
        problems_.push_back(absl::StrCat(path_, ": ", parsed.get<std::string>(), " is given twice"));
      }
      return true;
    };
    try {
      return Json::parse(text, watch);
    } catch (const Json::exception& error) {
      problems_.push_back(absl::StrCat(path_, " is not JSON: ", error.what()));
      return Json(Json::value_t::discarded);
    }
  }

  void Flatten(const Json& object, const std::string& prefix) {
    for (const auto& [word, value] : object.items()) {
      const std::string name = prefix.empty() ? word : absl::StrCat(prefix, ".", word);
      const Key* key = schema_.Find(name);
      if (key == nullptr && value.is_object() && !value.empty()) {
        Flatten(value, name);
      } else if (key == nullptr) {
        problems_.push_back(absl::StrCat(path_, ": ", UnknownKey(name, schema_)));
      } else if (!given_.insert(name).second) {
        problems_.push_back(absl::StrCat(path_, ": ", name, " is given twice"));
      } else if (const std::optional<Value> typed = Typed(key->type, value)) {
        entries_.push_back({name, *typed});
      } else {
        const std::string shown = key->secret ? "" : absl::StrCat(" ", value.dump(-1, ' ', true));
        problems_.push_back(absl::StrCat(path_, ": ", name, ":", shown, " is not a ", TypeName(key->type)));
      }
    }
  }

  const std::string& path_;
  const Schema& schema_;
  std::vector<std::string>& problems_;
  std::vector<FileEntry> entries_;
  std::set<std::string> given_;
};

// The edit distance between two words (Levenshtein).
std::size_t Edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<FileEntry> ReadFile(const std::string& path, const Schema& schema, std::vector<std::string>* problems) {
  Reader reader(path, schema, problems);
  reader.Read();
  return reader.Take();
}

std::string UnknownKey(const std::string& key, const Schema& schema) {
  const Key* nearest = nullptr;
  std::size_t fewest = 4;
  for (const Key& known : schema.keys()) {
    const std::size_t edits = Edits(key.substr(0, 100), known.name);
    if (edits < fewest) {
      nearest = &known;
      fewest = edits;
    }
  }
  const std::string hint = nearest == nullptr ? "" : absl::StrCat("; did you mean ", nearest->name, "?");
  return absl::StrCat("unknown key ", key, hint);
}

}  // namespace hail::config
