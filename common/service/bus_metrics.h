// Metrics of the bus between a service's replicas.
#pragma once

#include <memory>

#include "common/bus/nats_bus.h"
#include "common/metrics/metrics.h"

namespace hail {

// Series: bus{what}. `what` is connected (0 or 1) or lost (messages since the start). No values without a bus.
class BusMetrics {
 public:
  // Both must outlive it; `bus` may be null if the process is alone.
  BusMetrics(metrics::Registry* registry, const NatsBus* bus);

 private:
  std::shared_ptr<void> refresh_;
};

}  // namespace hail
