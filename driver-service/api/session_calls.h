// The unary calls that need the driver's session, done where it is: here, or at the replica that has it.
#pragma once

#include <cstdint>
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

  // As it is known where the session is, without a claim: where nobody has the session, or its replica is gone, as it
  // is stored.
  void GetDriverState(const v1::GetDriverStateRequest& request, absl::Time deadline,
                      Done<v1::GetDriverStateResponse> done);
  // The profile is checked. Claims no session.
  void RegisterDriver(const v1::RegisterDriverRequest& request, absl::Time deadline,
                      Done<v1::RegisterDriverResponse> done);
  // Each runs `done` once, on any thread; after the dispatch loop has stopped it may not run at all. Beside the call's
  // own errors: PEER_UNAVAILABLE where the replica that has the session does not answer in time. `deadline`: wall time.
  void SetAvailability(const v1::SetAvailabilityRequest& request, absl::Time deadline,
                       Done<v1::SetAvailabilityResponse> done);
  void UpdateLocation(const v1::UpdateLocationRequest& request, absl::Time deadline,
                      Done<v1::UpdateLocationResponse> done);
  void RespondToOffer(const v1::RespondToOfferRequest& request, absl::Time deadline,
                      Done<v1::RespondToOfferResponse> done);

 private:
  // The calls themselves, with the session here.
  void Do(const v1::GetDriverStateRequest& request, absl::Time deadline, Done<v1::GetDriverStateResponse> done);
  void Do(const v1::RegisterDriverRequest& request, absl::Time deadline, Done<v1::RegisterDriverResponse> done);
  void Do(const v1::SetAvailabilityRequest& request, absl::Time deadline, Done<v1::SetAvailabilityResponse> done);
  void Do(const v1::UpdateLocationRequest& request, absl::Time deadline, Done<v1::UpdateLocationResponse> done);
  void Do(const v1::RespondToOfferRequest& request, absl::Time deadline, Done<v1::RespondToOfferResponse> done);

  template <typename Request, typename Response>
  void Route(const char* method, const Request& request, absl::Time deadline, Done<Response> done);
  // `gone` as in DriverCommands.
  void Register(const v1::RegisterDriverRequest& request, std::int64_t gone, absl::Time deadline,
                Done<v1::RegisterDriverResponse> done);
  // Asks the replica `owner`: `done` with its answer, or `no_session` if it has no session of the driver.
  template <typename Request, typename Response>
  void PassOn(const std::string& owner, const std::string& driver_id, const char* method, const Request& request,
              Done<Response> done, std::function<void()> no_session);
  template <typename Request, typename Response>
  void DoForwarded(const std::string& bytes, const Answerer::Reply& reply);
  // What another replica passed on.
  void OnForwarded(std::string_view bytes, const Answerer::Reply& reply);

  DriverCommands& commands_;
  std::unique_ptr<Asker> asker_;
  std::unique_ptr<Answerer> answerer_;
};

}  // namespace hail::driver
