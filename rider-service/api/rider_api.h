// hail.rider.v1.RiderService: what riders' apps call. Each method decodes, asks the domain, encodes.
#pragma once

#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/time/clock.h"
#include "rider-service/api/driver_search.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/api/telemetry.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class RiderApi final : public rpc::Service {
 public:
  // All outlive the server.
  struct Ports {
    rpc::Gate* gate = nullptr;
    Rides* rides = nullptr;
    const Quoter* quoter = nullptr;
    DriverSearch* search = nullptr;
    SessionPorts session;
  };
  explicit RiderApi(Ports ports);

 private:
  Now ReadClock() const { return ports_.session.clock->Read(); }

  const Ports ports_;
};

}  // namespace hail::rider
