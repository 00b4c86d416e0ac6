// driver-service as a process of the simulation: everything but sockets, SQL and metrics is what the binary links, put
// together as driver-service/main/process.cc does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/dispatch_link.h"
#include "driver-service/api/driver_commands.h"
#include "driver-service/api/location_reporter.h"
#include "driver-service/api/position_intake.h"
#include "driver-service/api/replicas.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/api/session_calls.h"
#include "driver-service/api/sighting_board.h"
#include "driver-service/api/trip_positions.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/travel_times.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_bus.h"
#include "tests/simulation/sim_driver_store.h"

namespace hail::simulation {

class Universe;

class DriverNode final : private driver::RiderCalls {
 public:
  // `clock_wrong`: by how much its machine's wall clock is.
  DriverNode(Universe* universe, Life* life, const absl::Duration* clock_wrong);
  ~DriverNode() override;

  Life& life() { return *life_; }
  const ProcessClock& clock() const { return clock_; }
  rpc::Gate& gate() { return gate_; }
  ServerEnds& ends() { return ends_; }
  bool serving() const { return serving_; }
  // This process among the others, by its incarnation.
  const std::string& replica() const { return replica_; }
  SimBus& bus() { return bus_; }
  driver::DriverCommands& commands() { return commands_; }
  driver::SessionCalls& session_calls() { return session_calls_; }
  void set_faults(const StoreFaults& faults) { store_.set_faults(faults); }
  // Ends its lease, as a process does that was told to stop. It dies soon after.
  void Leave() {
    store_.EndLease(replica_, [](const absl::Status&) {});
  }
  // Whether the confirmation of this offer was begun here and is not settled.
  bool Confirming(const std::string& offer_id) const { return confirming_.contains(offer_id); }
  std::size_t confirming() const { return confirming_.size(); }
  driver::DispatchCounts Counts() const;
  // What this process takes the driver's wish to be, if it has the session.
  std::optional<driver::Availability> Wish(const std::string& driver_id);

  // driver-service's side of the two methods of DispatchService.
  absl::StatusOr<internal::v1::SearchDriversResponse> SearchDrivers(const internal::v1::SearchDriversRequest& request);
  std::shared_ptr<driver::DispatchLink> Dispatch(std::shared_ptr<driver::DispatchLink::Outbox> outbox);

 private:
  // driver::RiderCalls over the simulated network.
  void Confirm(const driver::ConfirmCall& call, std::function<void(absl::StatusOr<driver::RideView>)> done) override;
  void FindAssignment(const driver::FindCall& call,
                      std::function<void(absl::StatusOr<driver::RideView>)> done) override;
  void RecordTripEvent(internal::v1::RecordTripEventRequest request, const driver::ForCaller& caller,
                       std::function<void(absl::StatusOr<type::v1::Ride>)> done) override;
  void ListDriverRides(internal::v1::ListDriverRidesRequest request, const driver::ForCaller& caller,
                       std::function<void(absl::StatusOr<internal::v1::ListDriverRidesResponse>)> done) override;
  std::unique_ptr<Feed> WatchDrivers(FeedHandlers handlers) override;
  std::unique_ptr<Locations> ReportLocations(LocationHandlers handlers) override;

  void OnSettled(const driver::OfferRecord& record);

  Universe* const universe_;
  Life* const life_;
  const std::string replica_;
  const ProcessClock clock_;
  SimExecutor loop_;
  SimExecutor store_threads_;
  SimExecutor housekeeping_;
  SimDriverStore store_;
  SimBus bus_;
  driver::LocationIndex index_;
  const driver::CarSearch car_search_;
  const driver::StraightLineTravelTimes travel_times_;
  const driver::BatchMatcher matcher_;
  driver::SightingBoard sightings_;
  driver::TripPositions trips_;
  driver::DispatchHost host_;
  // Null: this process is alone.
  std::unique_ptr<driver::Replicas> replicas_;
  driver::LocationReporter reporter_;
  driver::PositionIntake positions_;
  driver::DriverCommands commands_;
  driver::SessionCalls session_calls_;
  rpc::Gate gate_;
  ServerEnds ends_;
  bool serving_ = false;
  std::set<std::string> confirming_;
  std::uint64_t links_ = 0;
};

}  // namespace hail::simulation
