// The unary calls that need the driver's session, done where it is: here, or at the replica that has it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/bus/request_reply.h"
#include "driver-service/api/driver_commands.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

// Thread-safe. Who may speak for the driver is the caller's to check; a replica believes another that it did.
class SessionCalls {
 public:
  template <typename Response>
  using Done = std::function<void(absl::StatusOr<Response>)>;

  // `commands` must outlive this.
  explicit SessionCalls(DriverCommands& commands) : commands_(commands) {}

  // Passes on and takes what was passed on, over `bus`, as `replica`. Before any call; until then, and without it, all
  // is done here. `bus` must outlive this.
  void Join(Bus* bus, const std::string& replica);
  // No more of that. Before the loop stops.
  void Leave();

  // Each runs `done` once, on any thread; after the dispatch loop has stopped it may not run at all. Beside the call's
  // own errors: PEER_UNAVAILABLE where the replica that has the session does not answer in time. `deadline`: wall time.
  void GetDriverState(const v1::GetDriverStateRequest& request, absl::Time deadline,
                      Done<v1::GetDriverStateResponse> done);
  void SetAvailability(const v1::SetAvailabilityRequest& request, absl::Time deadline,
                       Done<v1::SetAvailabilityResponse> done);
  void UpdateLocation(const v1::UpdateLocationRequest& request, absl::Time deadline,
                      Done<v1::UpdateLocationResponse> done);
  void RespondToOffer(const v1::RespondToOfferRequest& request, absl::Time deadline,
                      Done<v1::RespondToOfferResponse> done);

 private:
  // The calls themselves, with the session here.
  void Do(const v1::GetDriverStateRequest& request, absl::Time deadline, Done<v1::GetDriverStateResponse> done);
  void Do(const v1::SetAvailabilityRequest& request, absl::Time deadline, Done<v1::SetAvailabilityResponse> done);
  void Do(const v1::UpdateLocationRequest& request, absl::Time deadline, Done<v1::UpdateLocationResponse> done);
  void Do(const v1::RespondToOfferRequest& request, absl::Time deadline, Done<v1::RespondToOfferResponse> done);

  template <typename Request, typename Response>
  void Route(const char* method, const Request& request, absl::Time deadline, Done<Response> done);
  template <typename Request, typename Response>
  void DoForwarded(const std::string& bytes, const Answerer::Reply& reply);
  // What another replica passed on.
  void OnForwarded(std::string_view bytes, const Answerer::Reply& reply);

  DriverCommands& commands_;
  std::unique_ptr<Asker> asker_;
  std::unique_ptr<Answerer> answerer_;
};

}  // namespace hail::driver
