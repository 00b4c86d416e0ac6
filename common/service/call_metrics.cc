#include "common/service/call_metrics.h"

#include "common/logging/log.h"

namespace hail {

CallMetrics::CallMetrics(metrics::Registry* registry)
    : calls_(registry->Counters("calls_total", "Unary calls answered, by method and code.")),
      call_seconds_(registry->Histograms("call_seconds", "How long unary calls took.", metrics::LatencyBounds())),
      streams_(registry->Gauges("streams", "Open streams, by method.")),
      streams_ended_(registry->Counters("streams_ended_total", "Streams ended, by method and code.")) {}

void CallMetrics::OnUnaryDone(const char* method, absl::StatusCode code, absl::Duration took) {
  const Calls calls = CallsOf(method, code);
  calls.count.Add();
  calls.seconds.Observe(absl::ToDoubleSeconds(took));
}

CallMetrics::Calls CallMetrics::CallsOf(const char* method, absl::StatusCode code) {
  absl::MutexLock lock(&mutex_);
  if (const auto known = known_.find({method, code}); known != known_.end()) return known->second;
  const Calls calls{calls_.Of({{"method", method}, {"code", absl::StatusCodeToString(code)}}),
                    call_seconds_.Of({{"method", method}})};
  known_.emplace(std::pair(method, code), calls);
  return calls;
}

void CallMetrics::OnStreamOpened(const char* method) { streams_.Of({{"method", method}}).Add(1); }

void CallMetrics::OnStreamClosed(const char* method, absl::StatusCode code, absl::Duration) {
  streams_.Of({{"method", method}}).Add(-1);
  streams_ended_.Of({{"method", method}, {"code", absl::StatusCodeToString(code)}}).Add();
}

void CallMetrics::OnException(const char* method, const std::string& what) {
  Log(LogLevel::kError, "handler_threw", {{"method", method}, {"what", what}});
}

}  // namespace hail
