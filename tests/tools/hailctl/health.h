// hailctl health: uses grpc.health.v1, as probes do.
#pragma once

#include <string>
#include <vector>

#include "tests/tools/hailctl/context.h"

namespace hail::ctl {

// Asks each address, or both services if none is given. kOk only if all are SERVING.
ExitCode Health(Context& context, const std::vector<std::string>& addresses);

}  // namespace hail::ctl
