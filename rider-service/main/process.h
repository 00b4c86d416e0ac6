// The parts of rider-service put together, started and stopped in order.
#pragma once

#include <string>

#include "rider-service/domain/region.h"
#include "rider-service/main/options.h"

namespace hail::rider {

// Opens the store, loads what needs a driver, serves until SIGTERM or SIGINT (blocked by rpc::BlockTermination),
// drains. `port_file`: where to write the ports; empty: nowhere. The exit code: 0 after a drain, 1 if something could
// not be started (it is logged).
int RunRiderService(const RiderOptions& options, Regions regions, const std::string& port_file);

}  // namespace hail::rider
