// What is measured of the bus between a service's replicas.
#pragma once

#include <memory>

#include "common/bus/nats_bus.h"
#include "common/metrics/metrics.h"

namespace hail {

// Series: bus{what}, where what is connected (0 or 1), or lost (messages, since the start); without a bus no values.
class BusMetrics {
 public:
  // Both must outlive it; `bus` may be null: this process is alone.
  BusMetrics(metrics::Registry* registry, const NatsBus* bus);

 private:
  std::shared_ptr<void> refresh_;
};

}  // namespace hail
