// Builds one set of values from command line, environment and file, or lists everything that is wrong with them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/config/schema.h"

namespace hail::config {

struct Program {
  // "rider-service"
  std::string name;
  // "0.1.0"
  std::string version;
  // One sentence for --help.
  std::string summary;
};

using Environment = std::map<std::string, std::string>;

// The environment of the process.
Environment SystemEnvironment();

struct Loaded {
  // Set: main prints `out` and `err` and returns this code: 0 after --help, --help-markdown, --version or
  // --print-config, 2 after a problem. Not set: run with `values`.
  std::optional<int> exit;
  std::string out;
  std::string err;
  // All problems, one sentence each, as listed in `err`.
  std::vector<std::string> problems;

  Values values;
  // --port-file; empty: not given.
  std::string port_file;
};

// Takes --config FILE, --set key=value (repeatable), --port-file FILE, --print-config, --help, --help-markdown and
// --version. Default < file < HAIL_* of `environment` < --set. Unknown keys (in the file, in --set or as HAIL_*) are
// errors, because they are usually typing errors. `args` excludes the program's name. Throws nothing.
Loaded Load(const Program& program, const Schema& schema, const std::vector<std::string>& args,
            const Environment& environment);

// For main: `argv` and the environment of the process.
Loaded Load(const Program& program, const Schema& schema, int argc, const char* const* argv);

// For tests: the defaults with `settings` (key → text) over them. Aborts and lists the problems, if any.
Values ValuesWith(const Schema& schema, const std::map<std::string, std::string>& settings = {});

}  // namespace hail::config
