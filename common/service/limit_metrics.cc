#include "common/service/limit_metrics.h"

#include <cstdint>

#include "common/rpc/open_files.h"

namespace hail {
namespace {

// A series that follows a count kept elsewhere.
class Follower {
 public:
  explicit Follower(metrics::Counter counter) : counter_(counter) {}
  void Follow(std::uint64_t count) {
    counter_.Add(static_cast<double>(count - seen_));
    seen_ = count;
  }

 private:
  metrics::Counter counter_;
  std::uint64_t seen_ = 0;
};

}  // namespace

LimitMetrics::LimitMetrics(metrics::Registry* registry, const rpc::Gate* gate, const audit::AuditLog* audit) {
  const metrics::CounterFamily lines =
      registry->Counters("audit_lines_total", "Lines of the audit log, by what became of them.");
  refresh_ = registry->BeforeScrape(
      [gate, audit, buckets = registry->Gauges("rate_buckets", "Callers and networks whose calls are remembered.").Of(),
       limited =
           Follower(registry->Counters("calls_limited_total", "Calls and streams refused with RATE_LIMITED.").Of()),
       refused = Follower(registry->Counters("connections_refused_total", "Connections closed at once.").Of()),
       written = Follower(lines.Of({{"what", "written"}})), skipped = Follower(lines.Of({{"what", "skipped"}})),
       lost = Follower(lines.Of({{"what", "lost"}}))]() mutable {
        buckets.Set(static_cast<double>(gate->rate_buckets()));
        limited.Follow(gate->limited());
        refused.Follow(rpc::ConnectionsRefused());
        const audit::AuditStats stats = audit->stats();
        written.Follow(stats.written);
        skipped.Follow(stats.skipped);
        lost.Follow(stats.lost);
      });
}

}  // namespace hail
