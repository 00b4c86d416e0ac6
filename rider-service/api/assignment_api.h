// hail.internal.v1.AssignmentService: what driver-service and operators call. Each method decodes, asks the domain,
// encodes.
#pragma once

#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class AssignmentApi final : public rpc::Service {
 public:
  // All outlive the server.
  struct Ports {
    rpc::Gate* gate = nullptr;
    Rides* rides = nullptr;
    SessionPorts session;
  };
  explicit AssignmentApi(Ports ports);

 private:
  Now ReadClock() const { return ports_.session.clock->Read(); }

  const Ports ports_;
};

}  // namespace hail::rider
