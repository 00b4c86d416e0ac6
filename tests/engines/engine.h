// An engine that a test runs: a server from Debian's packages, for the duration of the test.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace hail::testing {

// Runs `arguments` (the program's path first) with its output appended to the file `log`. The process ends with the
// calling thread. `as_user`: the user it runs as if this process is root; empty: this process's user.
pid_t SpawnEngine(const std::vector<std::string>& arguments, const std::string& log, const std::string& as_user = "");

}  // namespace hail::testing
