#include "common/service/process_metrics.h"

#include "common/logging/log.h"

namespace hail {

ProcessMetrics::ProcessMetrics(metrics::Registry* registry, const rpc::Gate* gate, const NatsBus* bus) {
  process_ = registry->BeforeScrape(
      [gate, calls = registry->Gauges("calls_in_flight", "Unary calls in flight.").Of(),
       dropped = registry->Gauges("log_lines_dropped", "Log lines dropped since the start.").Of()] {
        calls.Set(static_cast<double>(gate->unary_in_flight()));
        dropped.Set(static_cast<double>(LogLinesDropped()));
      });
  const metrics::GaugeFamily state =
      registry->Gauges("bus", "State of the bus between replicas: connected, and lost messages.");
  if (bus == nullptr) return;
  bus_ =
      registry->BeforeScrape([bus, connected = state.Of({{"what", "connected"}}), lost = state.Of({{"what", "lost"}})] {
        const NatsStats stats = bus->stats();
        connected.Set(stats.connected ? 1 : 0);
        lost.Set(static_cast<double>(stats.lost));
      });
}

}  // namespace hail
