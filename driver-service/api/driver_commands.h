// What a driver can do, for the stream and for its unary twins alike.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/position_intake.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/domain/driver_store.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

// Thread-safe. What a request says is checked here, but for who may speak for the driver named: that is the caller's to
// check. Each `done` runs once, and must not block; after the dispatch loop has stopped it may not run at all.
class DriverCommands {
 public:
  // All must outlive this.
  DriverCommands(const Clock& clock, DispatchHost& host, DriverStore& store, PositionIntake& positions,
                 RiderCalls& rider)
      : clock_(clock), host_(host), store_(store), positions_(positions), rider_(rider) {}

  using StateDone = std::function<void(const absl::Status& status, const DriverState& state)>;
  using WriteDone = std::function<void(absl::StatusOr<ClaimedSession> written)>;

  // `done` on the loop: DriverStore::Register, under the session that is open here, if there is one, which learns of
  // it. `gone`: the epoch of a session whose replica said that it has it no more (0: none).
  void Register(const Driver& driver, std::int64_t gone, absl::Time deadline, WriteDone done);

  // `done` on the loop. The state is empty if the driver is unknown. `deadline` is wall time.
  void SetAvailability(const std::string& driver_id, v1::Availability availability, absl::Time deadline,
                       StateDone done);

  // `done` on the loop, with the state as it is here: Dispatch::ReadState.
  void ReadState(const std::string& driver_id, std::int64_t session_epoch,
                 std::function<void(const DriverState&)> done);

  // `done` on the loop, with what became of the positions.
  void UpdateLocation(const v1::UpdateLocationRequest& request,
                      std::function<void(absl::StatusOr<PositionTally>)> done);

  // An answer to an offer, once, for the caller to wait for: `done` on the loop, with DEADLINE_EXCEEDED if the outcome
  // is not certain by `deadline` (wall), or within a minute.
  void RespondToOffer(const std::string& driver_id, const std::string& offer_id, bool accept, absl::Time deadline,
                      std::function<void(absl::StatusOr<RespondResult>)> done);

  // An answer that is checked: whether it is an accept.
  static absl::StatusOr<bool> CheckAnswer(const v1::RespondToOfferRequest& request);

  // `done` on any thread, once the driver's session, if it is here, knows of it.
  void AdvanceTrip(const std::string& driver_id, const v1::AdvanceTripRequest& request, const ForCaller& caller,
                   std::function<void(absl::StatusOr<type::v1::Ride>)> done);

  const Clock& clock() const { return clock_; }
  DispatchHost& host() { return host_; }
  DriverStore& store() { return store_; }
  PositionIntake& positions() { return positions_; }
  RiderCalls& rider() { return rider_; }

 private:
  // On the loop, with a session. `again`: once more, if it turns out that this replica has claimed it meanwhile.
  void StoreAvailability(const std::string& driver_id, Availability desired, absl::Time deadline, bool again,
                         Dispatch& core, Now now, StateDone done);
  // On the loop. What a write that may have been made did to the row is read, some time later, until that succeeds.
  void ReadAgain(const std::string& driver_id);
  void ReadLater(const std::string& driver_id);

  const Clock& clock_;
  DispatchHost& host_;
  DriverStore& store_;
  PositionIntake& positions_;
  RiderCalls& rider_;
  // Drivers whose rows are to be read again. Loop only.
  std::set<std::string> reading_again_;
};

}  // namespace hail::driver
