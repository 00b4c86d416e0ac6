// What is measured of a service's store, and whether it works.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/metrics/metrics.h"
#include "common/sqlite/group_committer.h"
#include "common/time/clock.h"

namespace hail {

// Thread-safe. Series: commit_seconds, commit_jobs, commit_failures_total, checkpoint_seconds.
class StoreMetrics final : public sqlite::Observer {
 public:
  // Both must outlive it; `clock` is read for wall time.
  StoreMetrics(metrics::Registry* registry, const Clock* clock);

  void OnBatch(std::size_t jobs, absl::Duration took, const absl::Status& status) override;
  void OnCheckpoint(int pages, absl::Duration took) override;
  void OnException(const std::string& what) override;
  // A look at the store worked, or did not.
  void OnProbe(const absl::Status& status);

  // The last look worked, and no commit failed in the last 5 s.
  bool Healthy() const;

 private:
  const Clock* const clock_;
  const metrics::Histogram commit_seconds_;
  const metrics::Histogram batch_jobs_;
  const metrics::Counter commit_failures_;
  const metrics::Histogram checkpoint_seconds_;
  std::atomic<bool> probe_ok_{true};
  std::atomic<std::int64_t> last_failure_us_{0};
};

}  // namespace hail
