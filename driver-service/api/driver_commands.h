// The commands of a driver, shared by the stream and the unary methods.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
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

// Thread-safe. Validates requests, but not the caller's right to act for the driver, which the caller of this class
// must check. Each `done` runs once, and must not block; after the dispatch loop has stopped it may not run at all.
class DriverCommands {
 public:
  // All must outlive this.
  DriverCommands(const Clock& clock, DispatchHost& host, DriverStore& store, PositionIntake& positions,
                 RiderCalls& rider)
      : clock_(clock), host_(host), store_(store), positions_(positions), rider_(rider) {}

  using StateDone = std::function<void(const absl::Status& status, const DriverState& state)>;
  using WriteDone = std::function<void(absl::StatusOr<ClaimedSession> written)>;
  using DriverDone = std::function<void(absl::StatusOr<Driver> driver)>;

  // `done` runs on the loop. DriverStore::Register, under the driver's session here, if any, which is updated. `gone`:
  // the epoch of a session that its replica reported as lost (0: none).
  void Register(const Driver& driver, std::int64_t gone, absl::Time deadline, WriteDone done);

  // UpdateDriver under the driver's session, which is claimed if nobody has it; `done` runs on the loop. `caller` has a
  // deadline. DRIVER_BUSY; PEER_UNAVAILABLE if rider-service does not answer whether the driver has a ride.
  void Update(const v1::UpdateDriverRequest& request, const ForCaller& caller, DriverDone done);

  // `done` runs on the loop. The state is empty if the driver is unknown. `deadline` is wall time.
  void SetAvailability(const std::string& driver_id, v1::Availability availability, absl::Time deadline,
                       StateDone done);

  // `done` runs on the loop, with the state known here: Dispatch::ReadState.
  void ReadState(const std::string& driver_id, std::int64_t session_epoch,
                 std::function<void(const DriverState&)> done);

  // `done` runs on the loop, with the verdicts on the positions.
  void UpdateLocation(const v1::UpdateLocationRequest& request,
                      std::function<void(absl::StatusOr<PositionTally>)> done);

  // A unary answer to an offer: `done` runs on the loop, with DEADLINE_EXCEEDED if the outcome is not certain by
  // `deadline` (wall), or within a minute.
  void RespondToOffer(const std::string& driver_id, const std::string& offer_id, bool accept, absl::Time deadline,
                      std::function<void(absl::StatusOr<RespondResult>)> done);

  // `done` runs on the loop, with the state after it.
  void AcknowledgeOffer(const std::string& driver_id, const std::string& offer_id,
                        std::function<void(absl::StatusOr<DriverState>)> done);

  // On the loop: Dispatch::Respond, for an answer from a call or from a stream. An accept waits for the end of an open
  // write of the driver's profile.
  void Respond(const std::string& driver_id, const std::string& offer_id, bool accept, RespondDone done);

  // Validates an answer; returns whether it is an accept.
  static absl::StatusOr<bool> CheckAnswer(const v1::RespondToOfferRequest& request);

  // `done` runs on any thread, after the driver's session, if it is here, has been updated.
  void AdvanceTrip(const std::string& driver_id, const v1::AdvanceTripRequest& request, const ForCaller& caller,
                   std::function<void(absl::StatusOr<type::v1::Ride>)> done);

  const Clock& clock() const { return clock_; }
  DispatchHost& host() { return host_; }
  DriverStore& store() { return store_; }
  PositionIntake& positions() { return positions_; }
  RiderCalls& rider() { return rider_; }

 private:
  // On the loop. One write of a driver's profile at a time: an update starts from the row that the previous write
  // stored. An accept takes a turn as well, because the ride shows the vehicle at the time of the acceptance, and an
  // open write must not change it afterwards. `turn` runs on the loop, now or later, and ends with EndTurn.
  void InTurn(const std::string& driver_id, DispatchHost::Input turn);
  void EndTurn(const std::string& driver_id);
  // On the loop, in a turn; so is `done`.
  void StoreProfile(const Driver& driver, std::int64_t gone, absl::Time deadline, Dispatch& core, Now now,
                    WriteDone done);
  void StoreUpdate(const StoredDriver& known, const v1::UpdateDriverRequest& request, const ForCaller& caller,
                   Dispatch& core, Now now, WriteDone done);

  // On the loop, with a session. `again`: retry once if this replica turns out to have claimed the session meanwhile.
  void StoreAvailability(const std::string& driver_id, Availability desired, absl::Time deadline, bool again,
                         Dispatch& core, Now now, StateDone done);
  // On the loop. After a write with unknown outcome, reads the row after a delay, until a read succeeds.
  void ReadAgain(const std::string& driver_id);
  void ReadLater(const std::string& driver_id);

  const Clock& clock_;
  DispatchHost& host_;
  DriverStore& store_;
  PositionIntake& positions_;
  RiderCalls& rider_;
  // Drivers whose rows must be read again. Used on the loop only.
  std::set<std::string> reading_again_;
  // Drivers with a turn under way, and the turns that wait for its end. Loop only.
  std::map<std::string, std::deque<DispatchHost::Input>> turns_;
};

}  // namespace hail::driver
