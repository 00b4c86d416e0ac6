#include "common/service/store_metrics.h"

#include "common/logging/log.h"

namespace hail {
namespace {

constexpr absl::Duration kUnhealthyFor = absl::Seconds(5);

}  // namespace

StoreMetrics::StoreMetrics(metrics::Registry* registry, const Clock* clock)
    : clock_(clock),
      commit_seconds_(registry->Histograms("commit_seconds", "How long commits took.", metrics::LatencyBounds()).Of()),
      batch_jobs_(
          registry
              ->Histograms("commit_jobs", "How many writes one commit held.", {1, 2, 4, 8, 16, 32, 64, 128, 256, 512})
              .Of()),
      commit_failures_(registry->Counters("commit_failures_total", "Commits that failed.").Of()),
      checkpoint_seconds_(
          registry->Histograms("checkpoint_seconds", "How long checkpoints took.", metrics::LatencyBounds()).Of()) {}

void StoreMetrics::OnBatch(std::size_t jobs, absl::Duration took, const absl::Status& status) {
  commit_seconds_.Observe(absl::ToDoubleSeconds(took));
  batch_jobs_.Observe(static_cast<double>(jobs));
  if (status.ok()) return;
  commit_failures_.Add();
  last_failure_us_ = absl::ToUnixMicros(clock_->Read().wall);
  Log(LogLevel::kError, "commit_failed", {{"jobs", jobs}, {"status", status}});
}

void StoreMetrics::OnCheckpoint(int, absl::Duration took) { checkpoint_seconds_.Observe(absl::ToDoubleSeconds(took)); }

void StoreMetrics::OnException(const std::string& what) { Log(LogLevel::kError, "store_job_threw", {{"what", what}}); }

void StoreMetrics::OnProbe(const absl::Status& status) {
  probe_ok_ = status.ok();
  if (!status.ok()) Log(LogLevel::kError, "store_probe_failed", {{"status", status}});
}

bool StoreMetrics::Healthy() const {
  return probe_ok_ && clock_->Read().wall - absl::FromUnixMicros(last_failure_us_) > kUnhealthyFor;
}

}  // namespace hail
