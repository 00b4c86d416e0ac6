// hail.driver.v1.DriverService, called by drivers' apps over any transport. Each method decodes, calls the domain,
// encodes; the table has checked the caller by then. Methods that need the driver's session run at its owner: here, or
// at another replica.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
    // Those who act for a driver. To read his state counts as his app's receipt of an offer.
    constexpr rpc::Roles kDrivers = {auth::Role::kDriver, auth::Role::kServer};
    constexpr rpc::Roles kReaders = {auth::Role::kDriver, auth::Role::kServer, auth::Role::kOperator};
    // Nobody becomes a driver by himself, unless the operator says so (auth.drivers_register).
    constexpr rpc::Roles kRegistrars = {auth::Role::kServer, auth::Role::kOperator};
    return std::tuple(
        rpc::Unary("RegisterDriver", &DriverService::RegisterDriver,
                   {.roles = kRegistrars, .person = &DriverService::DriverOf},
                   {.further_roles = &DriverService::FurtherRegistrars, .at_owner = &DriverService::RegisterAtOwner}),
        rpc::Unary("UpdateDriver", &DriverService::UpdateDriver,
                   {.roles = kReaders, .person = &DriverService::DriverOf},
                   {.at_owner = &DriverService::UpdateAtOwner}),
        rpc::Unary("GetDriver", &DriverService::GetDriver, {.roles = kReaders, .person = &DriverService::DriverOf}),
        rpc::Unary("GetDriverState", &DriverService::GetDriverState,
                   {.roles = kDrivers, .person = &DriverService::DriverOf},
                   {.at_owner = &DriverService::GetStateAtOwner}),
        rpc::Unary("SetAvailability", &DriverService::SetAvailability,
                   {.roles = kDrivers, .person = &DriverService::DriverOf},
                   {.at_owner = &DriverService::SetAvailabilityAtOwner}),
        rpc::Unary("UpdateLocation", &DriverService::UpdateLocation,
                   {.roles = kDrivers, .person = &DriverService::DriverOf},
                   {.at_owner = &DriverService::UpdateLocationAtOwner}),
        rpc::Unary("RespondToOffer", &DriverService::RespondToOffer,
                   {.roles = kDrivers, .person = &DriverService::DriverOf},
                   {.at_owner = &DriverService::RespondAtOwner}),
        rpc::Unary("AcknowledgeOffer", &DriverService::AcknowledgeOffer,
                   {.roles = kDrivers, .person = &DriverService::DriverOf},
                   {.at_owner = &DriverService::AcknowledgeAtOwner}),
        rpc::Unary("AdvanceTrip", &DriverService::AdvanceTrip, {.roles = kDrivers, .person = &DriverService::DriverOf}),
        rpc::Unary("ListTrips", &DriverService::ListTrips, {.roles = kReaders, .person = &DriverService::DriverOf}),
        rpc::Bidi("StreamDriver", &DriverService::StreamDriver,
                  {.roles = kDrivers, .person = &DriverService::DriverInOpen}),
        rpc::ServerStream("WatchDriver", &DriverService::WatchDriver,
                          {.roles = kDrivers, .person = &DriverService::DriverOf}));
  }

  // Both must outlive every call. `drivers_register`: drivers may register themselves.
  DriverService(DriverCommands* commands, SessionCalls* calls, bool drivers_register)
      : commands_(*commands), calls_(*calls), drivers_register_(drivers_register) {}

  rpc::Roles FurtherRegistrars() const { return drivers_register_ ? rpc::Roles{auth::Role::kDriver} : rpc::Roles(); }

  // Claims no session.
  void RegisterDriver(const rpc::CallContext& call, const v1::RegisterDriverRequest& request,
                      Done<v1::RegisterDriverResponse> done);
  void GetDriver(const rpc::CallContext& call, const v1::GetDriverRequest& request, Done<v1::GetDriverResponse> done);
  // Returns the state known to the owner of the session, without a claim. Without a session, or if its replica is gone:
  // the stored state.
  void GetDriverState(const rpc::CallContext& call, const v1::GetDriverStateRequest& request,
                      Done<v1::GetDriverStateResponse> done);
  // PEER_UNAVAILABLE, here and below, if the owner of the session does not answer in time.
  void UpdateDriver(const rpc::CallContext& call, const v1::UpdateDriverRequest& request,
                    Done<v1::UpdateDriverResponse> done);
  void SetAvailability(const rpc::CallContext& call, const v1::SetAvailabilityRequest& request,
                       Done<v1::SetAvailabilityResponse> done);
  void UpdateLocation(const rpc::CallContext& call, const v1::UpdateLocationRequest& request,
                      Done<v1::UpdateLocationResponse> done);
  void RespondToOffer(const rpc::CallContext& call, const v1::RespondToOfferRequest& request,
                      Done<v1::RespondToOfferResponse> done);
  void AcknowledgeOffer(const rpc::CallContext& call, const v1::AcknowledgeOfferRequest& request,
                        Done<v1::AcknowledgeOfferResponse> done);
  void AdvanceTrip(const rpc::CallContext& call, const v1::AdvanceTripRequest& request,
                   Done<v1::AdvanceTripResponse> done);
  void ListTrips(const rpc::CallContext& call, const v1::ListTripsRequest& request, Done<v1::ListTripsResponse> done);
  std::shared_ptr<rpc::InboundSession<v1::StreamDriverRequest>> StreamDriver(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<v1::StreamDriverResponse>> sink);
  std::shared_ptr<rpc::StreamSession> WatchDriver(const rpc::CallContext& call, const v1::WatchDriverRequest& request,
                                                  std::shared_ptr<rpc::Sink<v1::StreamDriverResponse>> sink);

 private:
  template <typename Request>
  static std::optional<rpc::Person> DriverOf(const Request& request) {
    return rpc::Person{request.driver_id(), "driver_id", rpc::Person::Kind::kDriver};
  }
  static std::optional<rpc::Person> DriverOf(const v1::RegisterDriverRequest& request) {
    return rpc::Person{request.driver().driver_id(), "driver.driver_id", rpc::Person::Kind::kDriver};
  }
  static std::optional<rpc::Person> DriverOf(const v1::UpdateDriverRequest& request) {
    return rpc::Person{request.driver().driver_id(), "driver.driver_id", rpc::Person::Kind::kDriver};
  }
  // The session refuses commands that name another driver than the stream's.
  static std::optional<rpc::Person> DriverInOpen(const v1::StreamDriverRequest& message) {
    if (!message.has_open()) return std::nullopt;
    return rpc::Person{message.open().driver_id(), "open.driver_id", rpc::Person::Kind::kDriver};
  }

  // The same methods, with the session here.
  void RegisterAtOwner(const rpc::CallContext& call, const v1::RegisterDriverRequest& request,
                       Done<v1::RegisterDriverResponse> done) {
    Register(call, request, /*gone=*/0, Deadline(call), std::move(done));
  }
  void UpdateAtOwner(const rpc::CallContext& call, const v1::UpdateDriverRequest& request,
                     Done<v1::UpdateDriverResponse> done);
  void GetStateAtOwner(const rpc::CallContext& call, const v1::GetDriverStateRequest& request,
                       Done<v1::GetDriverStateResponse> done);
  void SetAvailabilityAtOwner(const rpc::CallContext& call, const v1::SetAvailabilityRequest& request,
                              Done<v1::SetAvailabilityResponse> done);
  void UpdateLocationAtOwner(const rpc::CallContext& call, const v1::UpdateLocationRequest& request,
                             Done<v1::UpdateLocationResponse> done);
  void RespondAtOwner(const rpc::CallContext& call, const v1::RespondToOfferRequest& request,
                      Done<v1::RespondToOfferResponse> done);
  void AcknowledgeAtOwner(const rpc::CallContext& call, const v1::AcknowledgeOfferRequest& request,
                          Done<v1::AcknowledgeOfferResponse> done);

  // Runs a call at the owner of the session; claims the session if it has none.
  template <typename Request, typename Response>
  void AtSession(const rpc::CallContext& call, const Request& request, Done<Response> done);
  // Forwards a call to the replica `owner`: `done` gets its answer; `no_session` runs if it has no session of the
  // driver.
  template <typename Request, typename Response>
  void Forward(const std::string& owner, const rpc::CallContext& call, const Request& request, Done<Response> done,
               std::function<void()> no_session);
  // `gone` as in DriverCommands.
  void Register(const rpc::CallContext& call, const v1::RegisterDriverRequest& request, std::int64_t gone,
                absl::Time deadline, Done<v1::RegisterDriverResponse> done);
  // The deadline of the answer: the caller's, or a short one.
  absl::Time Deadline(const rpc::CallContext& call) const;

  DriverCommands& commands_;
  SessionCalls& calls_;
  const bool drivers_register_;
};

}  // namespace hail::driver
