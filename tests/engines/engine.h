// An engine that a test runs: a server of Debian's packages, for as long as the test needs it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace hail::testing {

// Runs `arguments` (the program's path first) with its output appended to the file `log`. It ends with the thread that
// calls this. `as_user`: who it runs as if this is root; empty: as this.
pid_t SpawnEngine(const std::vector<std::string>& arguments, const std::string& log, const std::string& as_user = "");

}  // namespace hail::testing
