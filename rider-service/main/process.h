// Composes rider-service, and starts and stops its parts in order.
#pragma once

#include <string>

#include "rider-service/domain/region.h"
#include "rider-service/main/options.h"

namespace hail::rider {

// Opens the store, loads the rides to dispatch, serves until SIGTERM or SIGINT (blocked by rpc::BlockTermination),
// drains. `port_file`: the file for the ports; empty: none. Returns the exit code: 0 after a drain, 1 if a part could
// not be started (which is logged).
int RunRiderService(const RiderOptions& options, Regions regions, const std::string& port_file);

}  // namespace hail::rider
