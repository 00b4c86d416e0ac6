// driver-service, composed from its ports: used by the binary, the simulation and tests.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/bus/bus.h"
#include "common/exec/executor.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/dispatch_service.h"
#include "driver-service/api/driver_commands.h"
#include "driver-service/api/driver_service.h"
#include "driver-service/api/location_reporter.h"
#include "driver-service/api/position_intake.h"
#include "driver-service/api/presence_gossip.h"
#include "driver-service/api/replicas.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/api/session_calls.h"
#include "driver-service/api/trip_positions.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

// Thread-safe, except Start and Stop.
class DriverServer final {
 public:
  // All must outlive the server.
  struct Ports {
    DriverStore* store = nullptr;
    // The bus to the other replicas. Null: this process is alone.
    Bus* bus = nullptr;
    const Clock* clock = nullptr;
    RandomBits random;
    // The loop of the dispatch core.
    Executor* dispatch_loop = nullptr;
    const TravelTimes* travel_times = nullptr;
    // The client of rider-service. The handlers of its streams run on the loop.
    RiderCalls* rider = nullptr;
    // Called on the loop with each settled offer; must not block.
    std::function<void(const OfferRecord&)> on_offer_settled;
  };
  struct Options {
    DispatchOptions dispatch;
    // Names this run of the process, as in the store.
    std::string incarnation_id;
    // Whether drivers may register themselves.
    bool drivers_register = false;
  };
  struct Stats {
    // At most one second old.
    DispatchCounts dispatch;
    // The number of tasks that wait on the loop.
    std::size_t queue = 0;
    std::size_t on_map = 0;
    // LocationIndex::given_up_count.
    std::size_t fixes_given_up = 0;
    bool rider_feed_up = false;
  };

  DriverServer(Ports ports, const Options& options);

  // The methods for a transport.
  DriverService* driver_service() { return &driver_service_; }
  DispatchService* dispatch_service() { return &dispatch_service_; }

  // Opens the streams to rider-service and joins the other replicas. `ready` runs once, on any thread, when calls may
  // come: another replica could take a session that is claimed earlier. Call it once.
  void Start(std::function<void()> ready);
  // Leaves the other replicas and ends the streams. Must not be called on the loop, and before it is stopped;
  // idempotent.
  void Stop();

  Stats stats() const;
  // For operators' calls, and for tests that inspect the core.
  DispatchHost* dispatch() { return &dispatch_; }

 private:
  const Ports ports_;
  LocationIndex index_;
  const CarSearch car_search_;
  const BatchMatcher matcher_;
  PresenceGossip presences_;
  TripPositions trips_;
  DispatchHost dispatch_;
  // Null: this process is alone.
  const std::unique_ptr<Replicas> replicas_;
  LocationReporter reporter_;
  PositionIntake positions_;
  DriverCommands commands_;
  SessionCalls session_calls_;
  DriverService driver_service_;
  DispatchService dispatch_service_;
};

}  // namespace hail::driver
