// rider-service as a process of the simulation: everything but sockets, SQL and metrics is what the binary links, put
// together as rider-service/main/process.cc does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/dispatch_link.h"
#include "rider-service/api/feed_checks.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/api/telemetry.h"
#include "rider-service/codec/event_codec.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/rides.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_bus.h"
#include "tests/simulation/sim_ride_store.h"

namespace hail::simulation {

class Universe;

class RiderNode final : private rider::RideObserver {
 public:
  // `clock_wrong`: by how much its machine's wall clock is.
  RiderNode(Universe* universe, Life* life, const absl::Duration* clock_wrong);
  ~RiderNode() override;

  Life& life() { return *life_; }
  const ProcessClock& clock() const { return clock_; }
  rpc::Gate& gate() { return gate_; }
  ServerEnds& ends() { return ends_; }
  bool serving() const { return serving_; }
  const rider::SessionPorts& session_ports() const { return session_ports_; }
  rider::Rides* rides() { return &rides_; }
  const SimRideStore& store() const { return *store_; }
  SimBus& bus() { return bus_; }
  const std::string& incarnation_id() const { return incarnation_id_; }
  void set_faults(const StoreFaults& faults) { store_->set_faults(faults); }
  // Ends its link and its lease, as a process does that was told to stop. It dies soon after.
  void Leave() {
    link_.Stop([] {});
  }
  // Confirmations that were begun and not answered.
  int confirming() const { return confirming_; }
  // Changes on disk of which nobody has been told yet.
  int untold() const { return untold_; }

  // --- Unary methods, as RiderApi and AssignmentApi serve them ---
  template <typename Response>
  using Answer = std::function<void(absl::StatusOr<Response>)>;

  void ListProducts(const rider::v1::ListProductsRequest& request,
                    const Answer<rider::v1::ListProductsResponse>& answer);
  void QuoteRide(const rider::v1::QuoteRideRequest& request, const Answer<rider::v1::QuoteRideResponse>& answer);
  void RequestRide(const rider::v1::RequestRideRequest& request, absl::Time deadline,
                   const Answer<rider::v1::RequestRideResponse>& answer);
  void GetRide(const rider::v1::GetRideRequest& request, const Answer<rider::v1::GetRideResponse>& answer);
  void GetActiveRide(const rider::v1::GetActiveRideRequest& request,
                     const Answer<rider::v1::GetActiveRideResponse>& answer);
  void ListRides(const rider::v1::ListRidesRequest& request, const Answer<rider::v1::ListRidesResponse>& answer);
  void CancelRide(const rider::v1::CancelRideRequest& request, absl::Time deadline,
                  const Answer<rider::v1::CancelRideResponse>& answer);
  void ConfirmAssignment(const internal::v1::ConfirmAssignmentRequest& request, absl::Time deadline,
                         const Answer<internal::v1::ConfirmAssignmentResponse>& answer);
  void FindAssignment(const internal::v1::FindAssignmentRequest& request,
                      const Answer<internal::v1::FindAssignmentResponse>& answer);
  void RecordTripEvent(const internal::v1::RecordTripEventRequest& request, absl::Time deadline,
                       const Answer<internal::v1::RecordTripEventResponse>& answer);
  void ListDriverRides(const internal::v1::ListDriverRidesRequest& request,
                       const Answer<internal::v1::ListDriverRidesResponse>& answer);

 private:
  // Reads what a process reads before it serves; gives up (and is started again) if the store does not answer.
  void Boot();
  void Serve(const std::vector<rider::Ride>& dispatchable);
  void OnCommitted(const rider::Ride& ride, const rider::RideEvent* event) override;
  void OnFound(const rider::Ride& ride) override { link_.OnFound(ride); }
  void Watch(const rider::Ride* before, const rider::Ride& after, const rider::RideEvent* event);
  rider::DispatchLink::Opener Opener();

  Universe* const universe_;
  Life* const life_;
  const std::string incarnation_id_;
  const ProcessClock clock_;
  SimExecutor store_threads_;
  SimExecutor book_loop_;
  SimExecutor housekeeping_;
  std::unique_ptr<SimRideStore> store_;
  SimBus bus_;
  const rider::ProtoEventCodec codec_;
  const rider::Quoter quoter_;
  rider::TelemetryBoard telemetry_;
  rider::FeedChecks checks_;
  rider::DispatchLink link_;
  rider::Rides rides_;
  rpc::Gate gate_;
  rider::SessionPorts session_ports_;
  ServerEnds ends_;
  bool serving_ = false;
  int confirming_ = 0;
  int untold_ = 0;
  // Hears positions where there are other replicas.
  std::unique_ptr<Bus::Subscription> positions_;
};

}  // namespace hail::simulation
