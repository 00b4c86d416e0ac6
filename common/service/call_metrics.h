// Metrics of a service's calls and streams.
#pragma once

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/metrics/metrics.h"
#include "common/rpc/gate.h"

namespace hail {

// Thread-safe. Series: calls_total{method,code}, call_seconds{method}, streams{method},
// streams_ended_total{method,code}.
class CallMetrics final : public rpc::CallObserver {
 public:
  // `registry` must outlive it.
  explicit CallMetrics(metrics::Registry* registry);

  void OnUnaryDone(const char* method, absl::StatusCode code, absl::Duration took) override;
  void OnStreamOpened(const char* method) override;
  void OnStreamClosed(const char* method, absl::StatusCode code, absl::Duration lived) override;
  void OnException(const char* method, const std::string& what) override;

 private:
  // The series of one method and one outcome.
  struct Calls {
    metrics::Counter count;
    metrics::Histogram seconds;
  };
  Calls CallsOf(const char* method, absl::StatusCode code) ABSL_LOCKS_EXCLUDED(mutex_);

  const metrics::CounterFamily calls_;
  const metrics::HistogramFamily call_seconds_;
  const metrics::GaugeFamily streams_;
  const metrics::CounterFamily streams_ended_;

  absl::Mutex mutex_;
  // A cache: a lookup by labels would cost each call some microseconds. Method names live forever, so their addresses
  // identify them.
  absl::flat_hash_map<std::pair<const char*, absl::StatusCode>, Calls> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail
