// rider-service, composed from its ports: used by the binary, the simulation and tests.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/bus/bus.h"
#include "common/exec/executor.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "rider-service/api/assignment_service.h"
#include "rider-service/api/dispatch_client.h"
#include "rider-service/api/driver_search.h"
#include "rider-service/api/feed_checks.h"
#include "rider-service/api/rider_service.h"
#include "rider-service/api/telemetry.h"
#include "rider-service/codec/record_codec.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/ride_store.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe, except Start and Stop.
class RiderServer final : private RideObserver {
 public:
  // All must outlive the server.
  struct Ports {
    RideStore* store = nullptr;
    Bus* bus = nullptr;
    const Clock* clock = nullptr;
    RandomBits random;
    // The loop of the dispatch scheduler.
    Executor* dispatch_loop = nullptr;
    Executor* housekeeping = nullptr;
    // driver-service.
    DriverSearch* search = nullptr;
    DispatchClient::Opener dispatch_links;
    // Called with each commit, before all other observers. Null: none.
    RideObserver* observer = nullptr;
  };
  struct Options {
    // Must outlive the server.
    const Regions* regions = nullptr;
    // From the store (RideStore::QuoteKey).
    std::string quote_key;
    absl::Duration quote_valid_for = absl::Minutes(5);  // domain time
    RideRules rules;
    // Names this run of the process, as in the store.
    std::string incarnation_id;
    // Whether the bus reaches other replicas.
    bool replicas = false;
    // Wall time between two checks of the watched feeds against the store.
    absl::Duration feed_check = absl::Seconds(2);
  };
  struct Stats {
    DispatchClient::Stats dispatch;
    // The number of rides with a known driver position.
    std::size_t fixes = 0;
  };

  RiderServer(Ports ports, Options options);

  // The methods for a transport.
  RiderService* rider_service() { return &rider_service_; }
  AssignmentService* assignment_service() { return &assignment_service_; }

  // Loads the rides of the store and opens the dispatch link. Call it once.
  void Start();
  // Ends the link and the lease; `done` runs when other processes may take over. Call it once, after Start and before
  // the executors are stopped. Tasks that they still run have no effect.
  void Stop(std::function<void()> done) { link_.Stop(std::move(done)); }

  Stats stats() const { return {link_.stats(), telemetry_.size()}; }

 private:
  void OnCommitted(const Ride& ride, const RideEvent* event) override;
  void OnFound(const Ride& ride) override { link_.OnFound(ride); }
  bool IsOverloaded() const override { return link_.IsOverloaded(); }

  const Ports ports_;
  const absl::Duration feed_check_;
  const bool replicas_;
  const ProtoEventCodec codec_;
  const Quoter quoter_;
  PositionCache telemetry_;
  FeedChecks checks_;
  DispatchClient link_;
  Rides rides_;
  const SessionPorts session_ports_;
  RiderService rider_service_;
  AssignmentService assignment_service_;
  // Only with other replicas. Last member: it reports to the cache until it has ended.
  std::unique_ptr<Bus::Subscription> positions_;
};

}  // namespace hail::rider
