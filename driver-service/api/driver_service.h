// hail.driver.v1.DriverService: what drivers' apps call, over any transport. Each method decodes, asks the domain,
// encodes. Those that need the driver's session are done where it is: here, or at the replica that has it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/time/time.h"
#include "common/rpc/methods.h"
#include "driver-service/api/driver_commands.h"
#include "driver-service/api/session_calls.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

// Thread-safe.
class DriverService final {
 public:
  static constexpr char kName[] = "hail.driver.v1.DriverService";
  static constexpr auto Methods() {
    return std::tuple(
        rpc::Unary("RegisterDriver", &DriverService::RegisterDriver,
                   {.person = &DriverService::DriverOf, .at_owner = &DriverService::RegisterAtOwner}),
        rpc::Unary("GetDriver", &DriverService::GetDriver, {.person = &DriverService::DriverOf}),
        rpc::Unary("GetDriverState", &DriverService::GetDriverState,
                   {.person = &DriverService::DriverOf, .at_owner = &DriverService::GetStateAtOwner}),
        rpc::Unary("SetAvailability", &DriverService::SetAvailability,
                   {.person = &DriverService::DriverOf, .at_owner = &DriverService::SetAvailabilityAtOwner}),
        rpc::Unary("UpdateLocation", &DriverService::UpdateLocation,
                   {.person = &DriverService::DriverOf, .at_owner = &DriverService::UpdateLocationAtOwner}),
        rpc::Unary("RespondToOffer", &DriverService::RespondToOffer,
                   {.person = &DriverService::DriverOf, .at_owner = &DriverService::RespondAtOwner}),
        rpc::Unary("AdvanceTrip", &DriverService::AdvanceTrip, {.person = &DriverService::DriverOf}),
        rpc::Unary("ListTrips", &DriverService::ListTrips, {.person = &DriverService::DriverOf}),
        rpc::Bidi("StreamDriver", &DriverService::StreamDriver));
  }

  // Both must outlive every call.
  DriverService(DriverCommands* commands, SessionCalls* calls) : commands_(*commands), calls_(*calls) {}

  // Claims no session.
  void RegisterDriver(const rpc::CallContext& call, const v1::RegisterDriverRequest& request,
                      Done<v1::RegisterDriverResponse> done);
  void GetDriver(const rpc::CallContext& call, const v1::GetDriverRequest& request, Done<v1::GetDriverResponse> done);
  // As the owner of the session knows it, without a claim. Where nobody has the session, or its replica is gone: as it
  // is stored.
  void GetDriverState(const rpc::CallContext& call, const v1::GetDriverStateRequest& request,
                      Done<v1::GetDriverStateResponse> done);
  // PEER_UNAVAILABLE, here and below, where the replica that has the session does not answer in time.
  void SetAvailability(const rpc::CallContext& call, const v1::SetAvailabilityRequest& request,
                       Done<v1::SetAvailabilityResponse> done);
  void UpdateLocation(const rpc::CallContext& call, const v1::UpdateLocationRequest& request,
                      Done<v1::UpdateLocationResponse> done);
  void RespondToOffer(const rpc::CallContext& call, const v1::RespondToOfferRequest& request,
                      Done<v1::RespondToOfferResponse> done);
  void AdvanceTrip(const rpc::CallContext& call, const v1::AdvanceTripRequest& request,
                   Done<v1::AdvanceTripResponse> done);
  void ListTrips(const rpc::CallContext& call, const v1::ListTripsRequest& request, Done<v1::ListTripsResponse> done);
  std::shared_ptr<rpc::InboundSession<v1::StreamDriverRequest>> StreamDriver(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<v1::StreamDriverResponse>> sink);

 private:
  template <typename Request>
  static rpc::Person DriverOf(const Request& request) {
    return {request.driver_id(), "driver_id"};
  }
  static rpc::Person DriverOf(const v1::RegisterDriverRequest& request) {
    return {request.driver().driver_id(), "driver.driver_id"};
  }

  // The calls themselves, with the session here.
  void RegisterAtOwner(const rpc::CallContext& call, const v1::RegisterDriverRequest& request,
                       Done<v1::RegisterDriverResponse> done) {
    Register(request, /*gone=*/0, Deadline(call), std::move(done));
  }
  void GetStateAtOwner(const rpc::CallContext& call, const v1::GetDriverStateRequest& request,
                       Done<v1::GetDriverStateResponse> done);
  void SetAvailabilityAtOwner(const rpc::CallContext& call, const v1::SetAvailabilityRequest& request,
                              Done<v1::SetAvailabilityResponse> done);
  void UpdateLocationAtOwner(const rpc::CallContext& call, const v1::UpdateLocationRequest& request,
                             Done<v1::UpdateLocationResponse> done);
  void RespondAtOwner(const rpc::CallContext& call, const v1::RespondToOfferRequest& request,
                      Done<v1::RespondToOfferResponse> done);

  // Does a call where the session is, which is claimed if nobody has it.
  template <typename Request, typename Response>
  void AtSession(const rpc::CallContext& call, const Request& request, Done<Response> done);
  // Asks the replica `owner`: `done` with its answer, or `no_session` if it has no session of the driver.
  template <typename Request, typename Response>
  void Forward(const std::string& owner, const Request& request, Done<Response> done, std::function<void()> no_session);
  // `gone` as in DriverCommands.
  void Register(const v1::RegisterDriverRequest& request, std::int64_t gone, absl::Time deadline,
                Done<v1::RegisterDriverResponse> done);
  // When the answer must be there: the caller's deadline, or soon.
  absl::Time Deadline(const rpc::CallContext& call) const;

  DriverCommands& commands_;
  SessionCalls& calls_;
};

}  // namespace hail::driver
