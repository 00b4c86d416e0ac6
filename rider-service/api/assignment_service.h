// hail.internal.v1.AssignmentService, called by driver-service and operators over any transport. Each method decodes,
// calls the domain, encodes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <tuple>

#include "common/rpc/methods.h"
#include "common/time/clock.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class AssignmentService final {
 public:
  // All drivers of a driver-service may subscribe at once, and each gets a snapshot.
  static constexpr std::size_t kDriversQueue = 100'000;
  // One message may contain many positions.
  static constexpr std::size_t kMaxReportBytes = 1 << 20;

  static constexpr char kName[] = "hail.internal.v1.AssignmentService";
  static constexpr auto Methods() {
    constexpr rpc::Roles kDriverService = {auth::Role::kDriverService};
    constexpr rpc::Roles kOperators = {auth::Role::kOperator};
    return std::tuple(
        rpc::Unary("ConfirmAssignment", &AssignmentService::ConfirmAssignment, {.roles = kDriverService}),
        rpc::Unary("FindAssignment", &AssignmentService::FindAssignment, {.roles = kDriverService}),
        rpc::Unary("RecordTripEvent", &AssignmentService::RecordTripEvent, {.roles = kDriverService}),
        rpc::Unary("ListDriverRides", &AssignmentService::ListDriverRides, {.roles = kDriverService}),
        rpc::Unary("GetRide", &AssignmentService::GetRide, {.roles = kOperators, .ride = &AssignmentService::RideOf}),
        rpc::Unary("ResolveRide", &AssignmentService::ResolveRide,
                   {.roles = kOperators,
                    .ride = &AssignmentService::RideOf,
                    .limit = limits::Class::kWrite,
                    .audit = audit::Audited::kAlways}),
        rpc::Bidi("WatchDrivers", &AssignmentService::WatchDrivers, {.roles = kDriverService},
                  {.queue = kDriversQueue, .ages = false, .greets = true}),
        // No heartbeats: there may be nothing to report for a long time; keepalive detects a dead connection.
        rpc::ClientStream("ReportLocations", &AssignmentService::ReportLocations, {.roles = kDriverService},
                          {.must_beat = false, .max_message_bytes = kMaxReportBytes, .ages = false, .greets = true}));
  }

  // All must outlive every call.
  struct Ports {
    Rides* rides = nullptr;
    SessionPorts session;
  };
  explicit AssignmentService(const Ports& ports) : ports_(ports) {}

  void ConfirmAssignment(const rpc::CallContext& call, const internal::v1::ConfirmAssignmentRequest& request,
                         Done<internal::v1::ConfirmAssignmentResponse> done);
  void FindAssignment(const rpc::CallContext& call, const internal::v1::FindAssignmentRequest& request,
                      Done<internal::v1::FindAssignmentResponse> done);
  void RecordTripEvent(const rpc::CallContext& call, const internal::v1::RecordTripEventRequest& request,
                       Done<internal::v1::RecordTripEventResponse> done);
  void ListDriverRides(const rpc::CallContext& call, const internal::v1::ListDriverRidesRequest& request,
                       Done<internal::v1::ListDriverRidesResponse> done);
  void GetRide(const rpc::CallContext& call, const internal::v1::GetRideRequest& request,
               Done<internal::v1::GetRideResponse> done);
  void ResolveRide(const rpc::CallContext& call, const internal::v1::ResolveRideRequest& request,
                   Done<internal::v1::ResolveRideResponse> done);
  std::shared_ptr<rpc::InboundSession<internal::v1::WatchDriversRequest>> WatchDrivers(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<internal::v1::WatchDriversResponse>> sink);
  std::shared_ptr<rpc::InboundSession<internal::v1::ReportLocationsRequest>> ReportLocations(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<internal::v1::ReportLocationsResponse>> sink);

 private:
  template <typename Request>
  static const std::string& RideOf(const Request& request) {
    return request.ride_id();
  }

  Now ReadClock() const { return ports_.session.clock->Read(); }

  const Ports ports_;
};

}  // namespace hail::rider
