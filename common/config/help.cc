#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/config/schema.h"

namespace hail::config {
namespace {

std::string ShortType(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kInt:
      return "int";
    case Type::kDouble:
      return "double";
    case Type::kBool:
      return "bool";
    case Type::kDuration:
      return "duration";
    case Type::kProbability:
      return "probability";
  }
  return "";
}

std::string ShownDefault(const Key& key) { return key.secret ? "" : key.default_text; }

}  // namespace

std::string HelpText(const Schema& schema) {
  std::string text = "Configuration keys (default < --config file < HAIL_* environment < --set):\n";
  for (const Key& key : schema.keys()) {
    absl::StrAppend(&text, "  ", key.name, " (", ShortType(key.type));
    if (!ShownDefault(key).empty()) absl::StrAppend(&text, ", default ", ShownDefault(key));
    absl::StrAppend(&text, ")\n      ", key.doc, "\n");
  }
  return text;
}

std::string HelpMarkdown(const Schema& schema) {
  std::string text = "| key | type | default | environment | meaning |\n|---|---|---|---|---|\n";
  for (const Key& key : schema.keys()) {
    const std::string shown = ShownDefault(key).empty() ? "" : absl::StrCat("`", ShownDefault(key), "`");
    const std::string doc = absl::StrReplaceAll(key.doc, {{"|", "\\|"}});
    absl::StrAppend(&text, "| `", key.name, "` | ", ShortType(key.type), " | ", shown, " | `",
                    EnvironmentName(key.name), "` | ", doc, " |\n");
  }
  return text;
}

}  // namespace hail::config
