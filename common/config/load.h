// From command line, environment and file to one set of values, or to the list of everything that is wrong with them.
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

// The process's own.
Environment SystemEnvironment();

struct Loaded {
  // Set: main prints `out` and `err` and returns this: 0 after --help, --help-markdown, --version or --print-config, 2
  // when something is wrong. Not set: run with `values`.
  std::optional<int> exit;
  std::string out;
  std::string err;
  // All that is wrong, one sentence each, as listed in `err`.
  std::vector<std::string> problems;

  Values values;
  // --port-file; empty: none wanted.
  std::string port_file;
};

// Takes --config FILE, --set key=value (again and again), --port-file FILE, --print-config, --help, --help-markdown and
// --version. Default < file < HAIL_* of `environment` < --set. Keys nobody declared (in the file, in --set or as
// HAIL_*) are refused: they are typing errors. `args` is without the program's name. Throws nothing.
Loaded Load(const Program& program, const Schema& schema, const std::vector<std::string>& args,
            const Environment& environment);

// For main: `argv` and the process's environment.
Loaded Load(const Program& program, const Schema& schema, int argc, const char* const* argv);

// The defaults with `settings` (key → text) over them; for tests. Aborts, listing them, if there are problems.
Values ValuesWith(const Schema& schema, const std::map<std::string, std::string>& settings = {});

}  // namespace hail::config
