// rider-service as a process of the simulation: the RiderServer that the binary runs, on simulated ports.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/rider_server.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_bus.h"
#include "tests/simulation/sim_ride_store.h"

namespace hail::simulation {

class Universe;

class RiderNode final : private rider::DriverSearch {
 public:
  // `clock_wrong`: the error of the machine's wall clock.
  RiderNode(Universe* universe, Life* life, const absl::Duration* clock_wrong);
  ~RiderNode() override;

  Life& life() { return *life_; }
  const ProcessClock& clock() const { return clock_; }
  rpc::Gate& gate() { return gate_; }
  ServerEnds& ends() { return ends_; }
  bool serving() const { return server_ != nullptr; }
  const SimRideStore& store() const { return *store_; }
  SimBus& bus() { return bus_; }
  const std::string& incarnation_id() const { return incarnation_id_; }
  void set_faults(const StoreFaults& faults) { store_->set_faults(faults); }
  // Ends its link and its lease, as a process does on SIGTERM. It dies soon after.
  void Leave() {
    if (server_ != nullptr) server_->Stop([] {});
  }
  // Confirmations that have begun and were not answered.
  int confirming() const { return confirming_; }
  // Changes that are on disk and not yet acknowledged.
  int unacknowledged() const { return unacknowledged_; }

  // Called by the network, only while the process serves.
  rider::RiderService& service(const rider::RiderService*) { return *server_->rider_service(); }
  rider::AssignmentService& service(const rider::AssignmentService*) { return *server_->assignment_service(); }

  // Observes the answer to `request` and passes it on to `done`.
  template <typename Request, typename Response>
  Done<Response> Observe(const Request&, Done<Response> done) {
    return done;
  }
  Done<rider::v1::RequestRideResponse> Observe(const rider::v1::RequestRideRequest& request,
                                               Done<rider::v1::RequestRideResponse> done);
  Done<internal::v1::ConfirmAssignmentResponse> Observe(const internal::v1::ConfirmAssignmentRequest& request,
                                                        Done<internal::v1::ConfirmAssignmentResponse> done);
  Done<internal::v1::FindAssignmentResponse> Observe(const internal::v1::FindAssignmentRequest& request,
                                                     Done<internal::v1::FindAssignmentResponse> done);
  Done<internal::v1::RecordTripEventResponse> Observe(const internal::v1::RecordTripEventRequest& request,
                                                      Done<internal::v1::RecordTripEventResponse> done);

 private:
  // Reads the state that a process needs before it serves. Gives up (and is restarted) if the store does not answer.
  void Boot();
  void Serve(const std::string& quote_key);
  // rider::DriverSearch over the simulated network.
  void Search(rider::SearchRequest request, const rpc::CallContext& call, Done<rider::SearchResponse> done) override;
  rider::DispatchClient::Opener DispatchLinks();
  void Watch(const rider::Ride* before, const rider::Ride& after, const rider::RideEvent* event);

  Universe* const universe_;
  Life* const life_;
  const std::string incarnation_id_;
  const ProcessClock clock_;
  SimExecutor store_threads_;
  SimExecutor dispatch_loop_;
  SimExecutor housekeeping_;
  std::unique_ptr<SimRideStore> store_;
  SimBus bus_;
  rpc::Gate gate_;
  // Null until the store has answered.
  std::unique_ptr<rider::RiderServer> server_;
  ServerEnds ends_;
  int confirming_ = 0;
  int unacknowledged_ = 0;
};

}  // namespace hail::simulation
