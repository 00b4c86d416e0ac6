// The parts of driver-service put together, started and stopped in order.
#pragma once

#include <string>

#include "driver-service/main/options.h"

namespace hail::driver {

// Opens the store, serves until SIGTERM or SIGINT (blocked by rpc::BlockTermination), drains. `port_file`: where to
// write the ports; empty: nowhere. The exit code: 0 after a drain, 1 if something could not be started (it is logged).
int RunDriverService(const DriverOptions& options, const std::string& port_file);

}  // namespace hail::driver
