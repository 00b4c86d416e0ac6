// hail.driver.v1.DriverService, as drivers' apps call it.
#pragma once

#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "driver-service/api/driver_commands.h"
#include "driver-service/api/session_calls.h"

namespace hail::driver {

class DriverApi final : public rpc::Service {
 public:
  // All must outlive the server.
  DriverApi(rpc::Gate& gate, DriverCommands& commands, SessionCalls& calls);

 private:
  // When the answer to a call must be there: the caller's deadline, or soon.
  absl::Time Deadline(absl::Time callers) const;

  DriverCommands& commands_;
  SessionCalls& calls_;
};

}  // namespace hail::driver
