// driver-service as a process of the simulation: everything but sockets, SQL and metrics is what the binary links, put
// together as driver-service/main/process.cc does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/dispatch_link.h"
#include "driver-service/api/driver_commands.h"
#include "driver-service/api/position_intake.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/api/rider_peer.h"
#include "driver-service/api/trip_positions.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/travel_times.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_driver_store.h"

namespace hail::simulation {

class Universe;

class DriverNode final : private driver::RiderCalls {
 public:
  DriverNode(Universe* universe, Life* life);
  ~DriverNode() override;

  Life& life() { return *life_; }
  rpc::Gate& gate() { return gate_; }
  ServerEnds& ends() { return ends_; }
  bool serving() const { return true; }
  driver::DriverCommands& commands() { return commands_; }
  void set_faults(const StoreFaults& faults) { store_.set_faults(faults); }
  // Whether the confirmation of this offer was begun here and is not settled.
  bool Confirming(const std::string& offer_id) const { return confirming_.contains(offer_id); }
  std::size_t confirming() const { return confirming_.size(); }
  driver::DispatchCounts Counts() const;

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

  driver::RiderPeer::Streams Streams();
  void OnSettled(const driver::OfferRecord& record);

  Universe* const universe_;
  Life* const life_;
  SimExecutor loop_;
  SimExecutor store_threads_;
  SimExecutor housekeeping_;
  SimDriverStore store_;
  driver::LocationIndex index_;
  const driver::StraightLineTravelTimes travel_times_;
  const driver::BatchMatcher matcher_;
  driver::DispatchHost host_;
  driver::TripPositions trips_;
  driver::RiderPeer peer_;
  driver::PositionIntake positions_;
  driver::DriverCommands commands_;
  rpc::Gate gate_;
  ServerEnds ends_;
  std::set<std::string> confirming_;
  std::uint64_t links_ = 0;
};

}  // namespace hail::simulation
