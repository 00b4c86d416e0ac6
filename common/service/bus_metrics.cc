#include "common/service/bus_metrics.h"

namespace hail {

BusMetrics::BusMetrics(metrics::Registry* registry, const NatsBus* bus) {
  const metrics::GaugeFamily state =
      registry->Gauges("bus", "Of the bus between replicas: connected, and lost messages.");
  if (bus == nullptr) return;
  refresh_ =
      registry->BeforeScrape([bus, connected = state.Of({{"what", "connected"}}), lost = state.Of({{"what", "lost"}})] {
        const NatsStats stats = bus->stats();
        connected.Set(stats.connected ? 1 : 0);
        lost.Set(static_cast<double>(stats.lost));
      });
}

}  // namespace hail
