#include "common/config/load.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/config/file.h"
#include "common/config/parse.h"
#include "nlohmann/json.hpp"

namespace hail::config {
namespace {

struct Flags {
  std::string config_file;
  std::vector<std::string> sets;
  std::string port_file;
  bool print_config = false;
  bool help = false;
  bool help_markdown = false;
  bool version = false;
  // The help of CLI11.
  std::string usage;
};

Flags ParseFlags(const Program& program, std::vector<std::string> args, std::vector<std::string>* problems) {
  Flags flags;
  CLI::App app(program.summary, program.name);
  app.set_help_flag();
  // Unknown arguments are reported together with all other problems, not instead of them.
  app.allow_extras();
  app.add_option("--config", flags.config_file, "Read configuration from this JSON file")->type_name("FILE");
  app.add_option("--set", flags.sets, "Set one configuration key; may be given again and again")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--port-file", flags.port_file, "Write the ports listened on to this file, as JSON")
      ->type_name("FILE");
  app.add_flag("--print-config", flags.print_config, "Print the effective configuration as JSON and exit");
  app.add_flag("--help,-h", flags.help, "Print this and exit");
  app.add_flag("--help-markdown", flags.help_markdown, "Print the configuration keys as a Markdown table and exit");
  app.add_flag("--version", flags.version, "Print the version and exit");
  flags.usage = app.help();
  // CLI11 reads arguments from the back.
  std::reverse(args.begin(), args.end());
  try {
    app.parse(args);
    for (const std::string& extra : app.remaining()) {
      problems->push_back(absl::StrCat("unknown argument ", extra));
    }
  } catch (const CLI::Error& error) {
    problems->push_back(absl::StrCat("command line: ", error.what()));
  }
  return flags;
}

// Collects the values source by source; each source overrides the one before.
class Assembly {
 public:
  Assembly(const Schema& schema, std::vector<std::string>* problems) : schema_(schema), problems_(*problems) {}

  void Take(const std::vector<FileEntry>& entries, const std::string& source) {
    for (const FileEntry& entry : entries) Put(*schema_.Find(entry.key), entry.value, source);
  }

  // `where` names the source in problems.
  void TakeText(const std::string& name, const std::string& text, const std::string& where) {
    const Key* key = schema_.Find(name);
    if (key == nullptr) {
      problems_.push_back(absl::StrCat(where, ": ", UnknownKey(name, schema_)));
      return;
    }
    absl::StatusOr<Value> value = ParseValue(key->type, text);
    if (!value.ok()) {
      // A bad value in a higher source still hides the value of a lower one.
      given_.erase(name);
      problems_.push_back(absl::StrCat(where, ": ", Shown(*key, text), std::string(value.status().message())));
      return;
    }
    Put(*key, *std::move(value), where);
  }

  // Adds the defaults, then runs the checks.
  Values Finish() {
    const bool all_good = problems_.empty();
    for (const Key& key : schema_.keys()) {
      if (const auto given = given_.find(key.name); given != given_.end()) {
        const std::string wrong = key.check ? key.check(given->second.value) : "";
        if (!wrong.empty()) {
          problems_.push_back(
              absl::StrCat(given->second.where, ": ", Shown(key, FormatValue(given->second.value)), wrong));
        }
      }
    }
    std::map<std::string, Value> values;
    for (const Key& key : schema_.keys()) values.emplace(key.name, Effective(key));
    Values result(std::move(values));
    if (all_good && problems_.empty()) {
      for (const auto& check : schema_.checks()) {
        for (std::string& problem : check(result)) problems_.push_back(std::move(problem));
      }
    }
    return result;
  }

 private:
  struct Given {
    Value value;
    std::string where;
  };

  static std::string Shown(const Key& key, const std::string& text) {
    if (key.secret) return absl::StrCat(key.name, " ");
    return absl::StrCat(key.name, " \"", key.redacted ? key.redacted(text) : text, "\" ");
  }

  void Put(const Key& key, Value value, const std::string& where) {
    given_.insert_or_assign(key.name, Given{std::move(value), where});
  }

  Value Effective(const Key& key) const {
    if (const auto given = given_.find(key.name); given != given_.end()) return given->second.value;
    std::string text = key.default_text;
    if (key.type == Type::kString) {
      for (const Key& other : schema_.keys()) {
        const std::string hole = absl::StrCat("{", other.name, "}");
        if (text.find(hole) != std::string::npos) {
          text = absl::StrReplaceAll(text, {{hole, FormatValue(Effective(other))}});
        }
      }
    }
    absl::StatusOr<Value> value = ParseValue(key.type, text);
    if (!value.ok()) {
      std::fprintf(stderr, "configuration schema: the default of %s is bad\n", key.name.c_str());
      std::abort();
    }
    return *std::move(value);
  }

  const Schema& schema_;
  std::vector<std::string>& problems_;
  std::map<std::string, Given> given_;
};

void TakeEnvironment(const Environment& environment, const Schema& schema, Assembly* assembly,
                     std::vector<std::string>* problems) {
  std::map<std::string, std::string> keys;
  for (const Key& key : schema.keys()) keys.emplace(EnvironmentName(key.name), key.name);
  for (const auto& [name, text] : environment) {
    if (name.rfind("HAIL_", 0) != 0) continue;
    if (const auto key = keys.find(name); key != keys.end()) {
      assembly->TakeText(key->second, text, absl::StrCat("environment ", name));
    } else {
      problems->push_back(absl::StrCat("environment ", name, ": no such key"));
    }
  }
}

std::string PrintConfig(const Schema& schema, const Values& values) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const Key& key : schema.keys()) {
    switch (key.type) {
      case Type::kString:
        out[key.name] = values.String(key.name);
        break;
      case Type::kInt:
        out[key.name] = values.Int(key.name);
        break;
      case Type::kBool:
        out[key.name] = values.Bool(key.name);
        break;
      case Type::kDouble:
      case Type::kProbability:
        out[key.name] = values.Double(key.name);
        break;
      case Type::kDuration:
        out[key.name] = absl::FormatDuration(values.Duration(key.name));
        break;
    }
    if (key.secret) out[key.name] = "<redacted>";
    if (key.redacted) out[key.name] = key.redacted(values.String(key.name));
  }
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Loaded Printed(std::string text) {
  Loaded loaded;
  loaded.exit = 0;
  loaded.out = std::move(text);
  return loaded;
}

}  // namespace

Environment SystemEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Loaded Load(const Program& program, const Schema& schema, const std::vector<std::string>& args,
            const Environment& environment) {
  std::vector<std::string> problems;
  const Flags flags = ParseFlags(program, args, &problems);
  if (flags.help) return Printed(absl::StrCat(flags.usage, "\n", HelpText(schema)));
  if (flags.help_markdown) return Printed(HelpMarkdown(schema));
  if (flags.version) return Printed(absl::StrCat(program.name, " ", program.version, "\n"));

  Assembly assembly(schema, &problems);
  if (!flags.config_file.empty()) {
    assembly.Take(ReadFile(flags.config_file, schema, &problems), flags.config_file);
  }
  TakeEnvironment(environment, schema, &assembly, &problems);
  for (const std::string& set : flags.sets) {
    const std::size_t equals = set.find('=');
    if (equals == std::string::npos) {
      problems.push_back(absl::StrCat("--set ", set, ": must be key=value"));
    } else {
      assembly.TakeText(set.substr(0, equals), set.substr(equals + 1), "--set");
    }
  }

  Loaded loaded;
  loaded.values = assembly.Finish();
  loaded.port_file = flags.port_file;
  if (!problems.empty()) {
    loaded.exit = 2;
    loaded.err = absl::StrCat(program.name, ": ", problems.size(), problems.size() == 1 ? " problem" : " problems",
                              " with the configuration:\n");
    for (const std::string& problem : problems) absl::StrAppend(&loaded.err, "  ", problem, "\n");
    absl::StrAppend(&loaded.err, "See ", program.name, " --help for the keys.\n");
    loaded.problems = std::move(problems);
  } else if (flags.print_config) {
    loaded.exit = 0;
    loaded.out = PrintConfig(schema, loaded.values);
  }
  return loaded;
}

Loaded Load(const Program& program, const Schema& schema, int argc, const char* const* argv) {
  return Load(program, schema, argc > 1 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>(),
              SystemEnvironment());
}

Values ValuesWith(const Schema& schema, const std::map<std::string, std::string>& settings) {
  std::vector<std::string> args;
  for (const auto& [key, text] : settings) {
    args.push_back("--set");
    args.push_back(absl::StrCat(key, "=", text));
  }
  Loaded loaded = Load({.name = "test"}, schema, args, {});
  if (loaded.exit) {
    std::fputs(loaded.err.c_str(), stderr);
    std::abort();
  }
  return loaded.values;
}

}  // namespace hail::config
