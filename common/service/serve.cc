#include "common/service/serve.h"

#include "common/logging/log.h"
#include "common/rpc/service_host.h"
#include "common/rpc/termination.h"
#include "common/service/open_files.h"

namespace hail {

int Serve(const config::ServiceSettings& settings, rpc::Gate* gate, const Serving& serving) {
  AllowManyFiles();
  rpc::ServiceHost host({.listen = settings.listen,
                         .internal_listen = settings.internal_listen,
                         .notice = settings.shutdown_notice,
                         .grace = settings.shutdown_grace},
                        gate);
  absl::Status started = host.Start(serving.public_services, serving.internal_services, serving.healthy);
  if (started.ok() && !serving.port_file.empty()) {
    started = rpc::WritePortFile(
        serving.port_file,
        {{"listen", host.port()}, {"internal_listen", host.internal_port()}, {"metrics_listen", serving.metrics_port}});
  }
  if (!started.ok()) return FailedToStart("not_serving", started);
  Log(LogLevel::kInfo, "serving", {{"port", host.port()}, {"internal_port", host.internal_port()}});
  const int signal = rpc::WaitForTermination();
  Log(LogLevel::kInfo, "draining", {{"signal", signal}});
  host.Drain();
  return 0;
}

int FailedToStart(const char* event, const absl::Status& status) {
  Log(LogLevel::kError, event, {{"status", status}});
  return 1;
}

}  // namespace hail
