// hail.internal.v1.AssignmentService: what driver-service and operators call. Each method decodes, asks the domain,
// encodes.
#pragma once

#include "common/rpc/gate.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class AssignmentApi final : public hail::internal::v1::AssignmentService::CallbackService {
 public:
  // All outlive the server.
  struct Ports {
    rpc::Gate* gate = nullptr;
    Rides* rides = nullptr;
    SessionPorts session;
  };
  explicit AssignmentApi(Ports ports) : ports_(ports) {}

  grpc::ServerUnaryReactor* ConfirmAssignment(grpc::CallbackServerContext* context,
                                              const hail::internal::v1::ConfirmAssignmentRequest* request,
                                              hail::internal::v1::ConfirmAssignmentResponse* response) override;
  grpc::ServerUnaryReactor* FindAssignment(grpc::CallbackServerContext* context,
                                           const hail::internal::v1::FindAssignmentRequest* request,
                                           hail::internal::v1::FindAssignmentResponse* response) override;
  grpc::ServerUnaryReactor* RecordTripEvent(grpc::CallbackServerContext* context,
                                            const hail::internal::v1::RecordTripEventRequest* request,
                                            hail::internal::v1::RecordTripEventResponse* response) override;
  grpc::ServerBidiReactor<hail::internal::v1::WatchDriversRequest, hail::internal::v1::WatchDriversResponse>*
  WatchDrivers(grpc::CallbackServerContext* context) override;
  grpc::ServerReadReactor<hail::internal::v1::ReportLocationsRequest>* ReportLocations(
      grpc::CallbackServerContext* context, hail::internal::v1::ReportLocationsResponse* response) override;
  grpc::ServerUnaryReactor* ListDriverRides(grpc::CallbackServerContext* context,
                                            const hail::internal::v1::ListDriverRidesRequest* request,
                                            hail::internal::v1::ListDriverRidesResponse* response) override;
  grpc::ServerUnaryReactor* ResolveRide(grpc::CallbackServerContext* context,
                                        const hail::internal::v1::ResolveRideRequest* request,
                                        hail::internal::v1::ResolveRideResponse* response) override;

 private:
  Now ReadClock() const { return ports_.session.clock->Read(); }

  const Ports ports_;
};

}  // namespace hail::rider
