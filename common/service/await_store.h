// The beginning of a service's life whose database may not be there yet.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "common/config/service_keys.h"

namespace hail {

// Calls `open` until it returns anything but UNAVAILABLE, and returns that. In between it says why in the log, and
// serves health (NOT_SERVING) and nothing else on the service's addresses. CANCELLED if SIGTERM or SIGINT
// (rpc::BlockTermination) came first. `open` may block for seconds.
absl::Status AwaitStore(const config::ServiceSettings& settings, const std::function<absl::Status()>& open);

}  // namespace hail
