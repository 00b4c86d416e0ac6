// driver-service, put together from its ports: in the binary, in the simulation and in tests alike.
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

// Thread-safe, but for Start and Stop.
class DriverServer final {
 public:
  // All outlive it.
  struct Ports {
    DriverStore* store = nullptr;
    // Reaches the other replicas. Null: this process is alone.
    Bus* bus = nullptr;
    const Clock* clock = nullptr;
    RandomBits random;
    // The dispatch core lives on it.
    Executor* dispatch_loop = nullptr;
    const TravelTimes* travel_times = nullptr;
    // rider-service. The handlers of its streams run on the loop.
    RiderCalls* rider = nullptr;
    // Called on the loop with each settled offer; must not block.
    std::function<void(const OfferRecord&)> on_offer_settled;
  };
  struct Options {
    DispatchOptions dispatch;
    // Names this run of the process, as in the store.
    std::string incarnation_id;
  };
  struct Stats {
    // As of less than a second ago.
    DispatchCounts dispatch;
    // What waits for the loop.
    std::size_t queue = 0;
    std::size_t offerable = 0;
    // LocationIndex::given_up_count.
    std::size_t fixes_given_up = 0;
    bool rider_feed_up = false;
  };

  DriverServer(Ports ports, const Options& options);

  // What a transport serves.
  DriverService* driver_service() { return &driver_service_; }
  DispatchService* dispatch_service() { return &dispatch_service_; }

  // Opens the streams to rider-service and joins the other replicas. `ready` runs once, on any thread, when calls may
  // come: a session that is claimed earlier is not safe from other replicas. Once.
  void Start(std::function<void()> ready);
  // Leaves the other replicas and ends the streams. Not on the loop, and before it is stopped; idempotent.
  void Stop();

  Stats stats() const;
  // For tests that look into the core.
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
