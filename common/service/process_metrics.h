// Metrics of a service's process that both services have.
#pragma once

#include <memory>

#include "common/bus/nats_bus.h"
#include "common/metrics/metrics.h"
#include "common/rpc/gate.h"

namespace hail {

// Series: calls_in_flight; log_lines_dropped (since the start); bus{what}, where `what` is connected (0 or 1) or lost
// (messages since the start). bus has no values without a bus.
class ProcessMetrics {
 public:
  // All must outlive it; `bus` may be null if the process is alone.
  ProcessMetrics(metrics::Registry* registry, const rpc::Gate* gate, const NatsBus* bus);

 private:
  std::shared_ptr<void> process_;
  std::shared_ptr<void> bus_;
};

}  // namespace hail
