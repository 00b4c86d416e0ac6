#include "common/service/serve.h"

#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/logging/log.h"
#include "common/rpc/open_files.h"
#include "common/rpc/termination.h"

// jemalloc reads this when the process starts: freed memory is returned to the system within ten seconds, also in an
// idle process. Unused with other allocators (sanitizers).
extern "C" {
const char* malloc_conf = "background_thread:true";
}

namespace hail {

rpc::HostOptions ListenersOf(const config::ServiceSettings& settings, const ServiceTls* tls) {
  rpc::HostOptions options{
      .listen = settings.listen, .internal_listen = settings.internal_listen, .health_listen = settings.health_listen};
  if (tls != nullptr) {
    options.credentials = tls->Public();
    options.internal_credentials = tls->Internal();
  }
  return options;
}

int Serve(const config::ServiceSettings& settings, rpc::Gate* gate, const Serving& serving) {
#ifdef NDEBUG
  // Debian's abseil looks for deadlock cycles at each lock, as in a debug build; gRPC locks often.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  const int open_files = rpc::UseAllOpenFiles();
  rpc::LimitConnectionsOfNetwork(static_cast<std::size_t>(settings.limits.connections_of_network));
  rpc::HostOptions options = ListenersOf(settings, serving.tls);
  options.reflection = settings.reflection;
  options.internal_reflection = settings.internal_reflection;
  options.notice = settings.shutdown_notice;
  options.grace = settings.shutdown_grace;
  options.connection_age = settings.connection_age;
  rpc::ServiceHost host(std::move(options), gate);
  absl::Status started = host.Start(serving.public_services, serving.internal_services, serving.healthy);
  if (started.ok() && !serving.port_file.empty()) {
    started = rpc::WritePortFile(serving.port_file, {{"listen", host.port()},
                                                     {"internal_listen", host.internal_port()},
                                                     {"metrics_listen", serving.metrics_port},
                                                     {"health_listen", host.health_port()}});
  }
  if (!started.ok()) return FailedToStart("not_serving", started);
  Log(LogLevel::kInfo, "serving",
      {{"port", host.port()}, {"internal_port", host.internal_port()}, {"open_files", open_files}});
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
