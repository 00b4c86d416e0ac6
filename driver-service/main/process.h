// Composes driver-service, and starts and stops its parts in order.
#pragma once

#include <string>

#include "driver-service/main/options.h"

namespace hail::driver {

// Opens the store, serves until SIGTERM or SIGINT (blocked by rpc::BlockTermination), drains. `port_file`: the file for
// the ports; empty: none. Returns the exit code: 0 after a drain, 1 if a part could not be started (which is logged).
int RunDriverService(const DriverOptions& options, const std::string& port_file);

}  // namespace hail::driver
