// Metrics and health of a service's store.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/metrics/metrics.h"
#include "common/postgres/pool.h"
#include "common/sqlite/group_committer.h"
#include "common/time/clock.h"

namespace hail {

// Thread-safe. Series: commit_seconds, commit_jobs, commit_failures_total; for an embedded store checkpoint_seconds;
// for a database store_connections{state}. Failures are logged at most once a second per kind, because a failing disk
// causes thousands per second.
class StoreMetrics final : public sqlite::Observer, public postgres::Observer {
 public:
  // Both must outlive it; `clock` is read for wall time.
  StoreMetrics(metrics::Registry* registry, const Clock* clock);

  void OnBatch(std::size_t jobs, absl::Duration took, const absl::Status& status) override;
  void OnCheckpoint(int pages, absl::Duration took) override;
  void OnCheckpointFailed(const absl::Status& status) override;
  void OnJobFailed(const absl::Status& status) override;
  // Of both observers.
  void OnException(const std::string& what) override;
  void OnCommit(std::size_t writes, absl::Duration took, const absl::Status& status) override;
  void OnConnections(int ready, int wanted) override;
  void OnConnectionLost(const absl::Status& why) override;
  void OnReadFailed(const absl::Status& status) override { OnJobFailed(status); }
  // The outcome of a read probe of the store.
  void OnProbe(const absl::Status& status);

  // Whether to probe a commit now: a commit has failed since the last successful write probe. Then OnWriteProbe must
  // follow; until then this returns false.
  bool BeginWriteProbe();
  void OnWriteProbe(const absl::Status& status);

  // True if the latest read probe succeeded, and every commit failure was followed by a successful write probe. (Other
  // successful commits prove nothing: they may have had nothing to write.)
  bool Healthy() const;

 private:
  // Allows one line per second.
  class LogThrottle {
   public:
    bool Now(absl::Time wall);

   private:
    std::atomic<std::int64_t> last_us_{0};
  };

  const Clock* const clock_;
  const metrics::Histogram commit_seconds_;
  const metrics::Histogram batch_jobs_;
  const metrics::Counter commit_failures_;
  const metrics::Histogram checkpoint_seconds_;
  const metrics::GaugeFamily connections_;
  std::atomic<bool> probe_ok_{true};
  std::atomic<bool> writable_{true};
  std::atomic<bool> probing_{false};
  LogThrottle commit_lines_;
  LogThrottle job_lines_;
  LogThrottle checkpoint_lines_;
  LogThrottle connection_lines_;
};

}  // namespace hail
