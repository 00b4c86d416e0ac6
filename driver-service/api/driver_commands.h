// What a driver can do, for the stream and for its unary twins alike.
#pragma once

#include <functional>
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

  // `done` on the loop. The state is empty if the driver is unknown. `deadline` is wall time.
  void SetAvailability(const std::string& driver_id, v1::Availability availability, absl::Time deadline,
                       StateDone done);

  // `done` on the loop. The driver reads its state, so the offer in it counts as received.
  void ReadState(const std::string& driver_id, std::function<void(absl::StatusOr<DriverState>)> done);

  // `done` on the loop, with what became of the positions.
  void UpdateLocation(const v1::UpdateLocationRequest& request,
                      std::function<void(absl::StatusOr<PositionTally>)> done);

  // An answer to an offer, once, for the caller to wait for: `done` on the loop, with DEADLINE_EXCEEDED if the outcome
  // is not certain by `deadline` (wall), or within a minute.
  void RespondToOffer(const std::string& driver_id, const std::string& offer_id, bool accept, absl::Time deadline,
                      std::function<void(absl::StatusOr<RespondResult>)> done);

  // An answer that is checked: whether it is an accept.
  static absl::StatusOr<bool> CheckAnswer(const v1::RespondToOfferRequest& request);

  // `done` on any thread.
  void AdvanceTrip(const std::string& driver_id, const v1::AdvanceTripRequest& request, const ForCaller& caller,
                   std::function<void(absl::StatusOr<type::v1::Ride>)> done);

  const Clock& clock() const { return clock_; }
  DispatchHost& host() { return host_; }
  DriverStore& store() { return store_; }
  PositionIntake& positions() { return positions_; }
  RiderCalls& rider() { return rider_; }

 private:
  const Clock& clock_;
  DispatchHost& host_;
  DriverStore& store_;
  PositionIntake& positions_;
  RiderCalls& rider_;
};

}  // namespace hail::driver
