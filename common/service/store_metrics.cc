#include "common/service/store_metrics.h"

#include "common/logging/log.h"

namespace hail {

bool StoreMetrics::LogThrottle::Now(absl::Time wall) {
  const std::int64_t now = absl::ToUnixMicros(wall);
  std::int64_t last = last_us_;
  // Also handles a clock that was set back, which must not silence the log.
  if (now - last < 1'000'000 && now >= last) return false;
  return last_us_.compare_exchange_strong(last, now);
}

StoreMetrics::StoreMetrics(metrics::Registry* registry, const Clock* clock)
    : clock_(clock),
      commit_seconds_(registry->Histograms("commit_seconds", "How long commits took.", metrics::LatencyBounds()).Of()),
      batch_jobs_(
          registry
              ->Histograms("commit_jobs", "How many writes one commit held.", {1, 2, 4, 8, 16, 32, 64, 128, 256, 512})
              .Of()),
      commit_failures_(registry->Counters("commit_failures_total", "Commits that failed.").Of()),
      checkpoint_seconds_(
          registry->Histograms("checkpoint_seconds", "How long checkpoints took.", metrics::LatencyBounds()).Of()),
      connections_(registry->Gauges("store_connections", "Connections to the database, ready and wanted.")) {}

void StoreMetrics::OnBatch(std::size_t jobs, absl::Duration took, const absl::Status& status) {
  commit_seconds_.Observe(absl::ToDoubleSeconds(took));
  batch_jobs_.Observe(static_cast<double>(jobs));
  if (status.ok()) return;
  commit_failures_.Add();
  const bool first = writable_.exchange(false);
  if (commit_lines_.Now(clock_->Read().wall) || first) {
    Log(LogLevel::kError, "commit_failed", {{"jobs", jobs}, {"status", status}});
  }
}

void StoreMetrics::OnCheckpoint(int, absl::Duration took) { checkpoint_seconds_.Observe(absl::ToDoubleSeconds(took)); }

void StoreMetrics::OnCheckpointFailed(const absl::Status& status) {
  if (checkpoint_lines_.Now(clock_->Read().wall)) Log(LogLevel::kError, "checkpoint_failed", {{"status", status}});
}

void StoreMetrics::OnJobFailed(const absl::Status& status) {
  if (job_lines_.Now(clock_->Read().wall)) Log(LogLevel::kError, "store_failed", {{"status", status}});
}

void StoreMetrics::OnException(const std::string& what) { Log(LogLevel::kError, "store_job_threw", {{"what", what}}); }

void StoreMetrics::OnCommit(std::size_t writes, absl::Duration took, const absl::Status& status) {
  OnBatch(writes, took, status);
}

void StoreMetrics::OnConnections(int ready, int wanted) {
  connections_.Of({{"state", "ready"}}).Set(ready);
  connections_.Of({{"state", "wanted"}}).Set(wanted);
  Log(LogLevel::kInfo, "store_connections", {{"ready", ready}, {"wanted", wanted}});
}

void StoreMetrics::OnConnectionLost(const absl::Status& why) {
  if (connection_lines_.Now(clock_->Read().wall)) Log(LogLevel::kWarn, "store_connection_lost", {{"status", why}});
}

void StoreMetrics::OnProbe(const absl::Status& status) {
  probe_ok_ = status.ok();
  if (!status.ok()) Log(LogLevel::kError, "store_probe_failed", {{"status", status}});
}

bool StoreMetrics::BeginWriteProbe() { return !writable_ && !probing_.exchange(true); }

void StoreMetrics::OnWriteProbe(const absl::Status& status) {
  if (status.ok() && !writable_.exchange(true)) Log(LogLevel::kInfo, "commits_work_again");
  probing_ = false;
}

bool StoreMetrics::Healthy() const { return probe_ok_ && writable_; }

}  // namespace hail
