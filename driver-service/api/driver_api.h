// hail.driver.v1.DriverService, as drivers' apps call it.
#pragma once

#include "common/rpc/gate.h"
#include "driver-service/api/driver_commands.h"
#include "driver-service/api/session_calls.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"

namespace hail::driver {

class DriverApi final : public v1::DriverService::CallbackService {
 public:
  // All must outlive the server.
  DriverApi(rpc::Gate& gate, DriverCommands& commands, SessionCalls& calls)
      : gate_(gate), commands_(commands), calls_(calls) {}

  grpc::ServerUnaryReactor* RegisterDriver(grpc::CallbackServerContext* context,
                                           const v1::RegisterDriverRequest* request,
                                           v1::RegisterDriverResponse* response) override;
  grpc::ServerUnaryReactor* GetDriver(grpc::CallbackServerContext* context, const v1::GetDriverRequest* request,
                                      v1::GetDriverResponse* response) override;
  grpc::ServerUnaryReactor* GetDriverState(grpc::CallbackServerContext* context,
                                           const v1::GetDriverStateRequest* request,
                                           v1::GetDriverStateResponse* response) override;
  grpc::ServerUnaryReactor* SetAvailability(grpc::CallbackServerContext* context,
                                            const v1::SetAvailabilityRequest* request,
                                            v1::SetAvailabilityResponse* response) override;
  grpc::ServerUnaryReactor* UpdateLocation(grpc::CallbackServerContext* context,
                                           const v1::UpdateLocationRequest* request,
                                           v1::UpdateLocationResponse* response) override;
  grpc::ServerUnaryReactor* RespondToOffer(grpc::CallbackServerContext* context,
                                           const v1::RespondToOfferRequest* request,
                                           v1::RespondToOfferResponse* response) override;
  grpc::ServerUnaryReactor* AdvanceTrip(grpc::CallbackServerContext* context, const v1::AdvanceTripRequest* request,
                                        v1::AdvanceTripResponse* response) override;
  grpc::ServerUnaryReactor* ListTrips(grpc::CallbackServerContext* context, const v1::ListTripsRequest* request,
                                      v1::ListTripsResponse* response) override;
  grpc::ServerBidiReactor<v1::StreamDriverRequest, v1::StreamDriverResponse>* StreamDriver(
      grpc::CallbackServerContext* context) override;

 private:
  // When the answer to a call must be there: the caller's deadline, or soon.
  absl::Time Deadline(absl::Time callers) const;

  rpc::Gate& gate_;
  DriverCommands& commands_;
  SessionCalls& calls_;
};

}  // namespace hail::driver
