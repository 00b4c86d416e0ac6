// What is measured of a service's calls and streams.
#pragma once

#include <string>

#include "absl/status/status.h"
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
  const metrics::CounterFamily calls_;
  const metrics::HistogramFamily call_seconds_;
  const metrics::GaugeFamily streams_;
  const metrics::CounterFamily streams_ended_;
};

}  // namespace hail
