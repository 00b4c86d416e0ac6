// The serving part of a service's life, the same for both: listen, say so, wait for the signal, drain.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config/service_keys.h"
#include "common/rpc/gate.h"

namespace grpc {
class Service;
}

namespace hail {

struct Serving {
  std::vector<grpc::Service*> public_services;
  std::vector<grpc::Service*> internal_services;
  // Whether health may say SERVING; must not block.
  std::function<bool()> healthy;
  // Where the bound ports are written once they serve. Empty: nowhere.
  std::string port_file;
  // For the port file.
  int metrics_port = 0;
};

// Serves until SIGTERM or SIGINT and drains. When this returns no handler runs. The process's exit code: 1 where an
// address could not be bound or the port file not written. rpc::BlockTermination must have been called.
int Serve(const config::ServiceSettings& settings, rpc::Gate* gate, const Serving& serving);

// Logs what a service cannot start without as `event`; the exit code for it.
int FailedToStart(const char* event, const absl::Status& status);

}  // namespace hail
