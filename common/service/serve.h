// The serving phase of both services: listen, report the ports, wait for the signal, drain.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config/service_keys.h"
#include "common/rpc/gate.h"
#include "common/rpc/service_host.h"
#include "common/service/service_tls.h"

namespace grpc {
class Service;
}

namespace hail {

struct Serving {
  // Null: no TLS.
  const ServiceTls* tls = nullptr;
  std::vector<grpc::Service*> public_services;
  std::vector<grpc::Service*> internal_services;
  // Whether health is SERVING; must not block.
  std::function<bool()> healthy;
  // The file for the bound ports, written once they serve. Empty: none.
  std::string port_file;
  // Written to the port file.
  int metrics_port = 0;
};

// Where and how to listen: addresses and credentials. `tls` null: no TLS.
rpc::HostOptions ListenersOf(const config::ServiceSettings& settings, const ServiceTls* tls);

// Serves until SIGTERM or SIGINT, then drains. When this returns, no handler runs. Returns the exit code of the
// process: 1 if an address could not be bound or the port file not written. rpc::BlockTermination must have been
// called.
int Serve(const config::ServiceSettings& settings, rpc::Gate* gate, const Serving& serving);

// Logs an error that prevents the start as `event`; returns the exit code.
int FailedToStart(const char* event, const absl::Status& status);

}  // namespace hail
