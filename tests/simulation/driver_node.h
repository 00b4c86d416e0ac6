// driver-service as a process of the simulation: the DriverServer that the binary runs, on simulated ports.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "driver-service/api/driver_server.h"
#include "driver-service/domain/travel_times.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_bus.h"
#include "tests/simulation/sim_driver_store.h"

namespace hail::simulation {

class Universe;

class DriverNode final : private driver::RiderCalls {
 public:
  // `clock_wrong`: the error of the machine's wall clock.
  DriverNode(Universe* universe, Life* life, const absl::Duration* clock_wrong);
  ~DriverNode() override;

  Life& life() { return *life_; }
  const ProcessClock& clock() const { return clock_; }
  rpc::Gate& gate() { return gate_; }
  ServerEnds& ends() { return ends_; }
  bool serving() const { return serving_; }
  // The incarnation: names this process among the replicas.
  const std::string& replica() const { return replica_; }
  SimBus& bus() { return bus_; }
  void set_faults(const StoreFaults& faults) { store_.set_faults(faults); }
  // Ends its lease, as a process does on SIGTERM. It dies soon after.
  void Leave() {
    store_.EndLease(replica_, [](const absl::Status&) {});
  }
  // Whether the confirmation of this offer was begun here and is not settled.
  bool Confirming(const std::string& offer_id) const { return confirming_.contains(offer_id); }
  std::size_t confirming() const { return confirming_.size(); }
  driver::DispatchCounts Counts() const { return server_.stats().dispatch; }
  // The desired availability of the driver as this process knows it, if it owns the session.
  std::optional<driver::Availability> Wish(const std::string& driver_id);

  // Called by the network, only while the process serves.
  driver::DriverService& service(const driver::DriverService*) { return *server_.driver_service(); }
  driver::DispatchService& service(const driver::DispatchService*) { return *server_.dispatch_service(); }
  // Observes the answer to `request` and passes it on to `done`.
  template <typename Request, typename Response>
  Done<Response> Observe(const Request&, Done<Response> done) {
    return done;
  }
  // Observes that rider-service opens a dispatch link.
  void LinkOpens();

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
  const driver::StraightLineTravelTimes travel_times_;
  driver::DriverServer server_;
  rpc::Gate gate_;
  ServerEnds ends_;
  bool serving_ = false;
  std::set<std::string> confirming_;
  std::uint64_t links_ = 0;
};

}  // namespace hail::simulation
