// Start of a service whose database may not be up yet.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "common/config/service_keys.h"
#include "common/service/service_tls.h"

namespace hail {

// Calls `open` until it returns anything but UNAVAILABLE, and returns that. Meanwhile it logs the reason, and serves
// health only (NOT_SERVING) on the service's addresses. CANCELLED if SIGTERM or SIGINT (rpc::BlockTermination) came
// first. `open` may block for seconds.
absl::Status AwaitStore(const config::ServiceSettings& settings, const ServiceTls* tls,
                        const std::function<absl::Status()>& open);

}  // namespace hail
