// What a driver can do, for the stream and for its unary twins alike.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/outgoing_calls.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/position_intake.h"
#include "driver-service/api/rider_client.h"
#include "driver-service/domain/driver_store.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

// Thread-safe. What a request says is checked here, but for who may speak for the driver named: that is the caller's to
// check. Each `done` runs once, and must not block; after the dispatch loop has stopped it may not run at all.
class DriverCommands {
 public:
  // All must outlive this.
  DriverCommands(const Clock& clock, DispatchHost& host, DriverStore& store, PositionIntake& positions,
                 RiderClient& rider)
      : clock_(clock), host_(host), store_(store), positions_(positions), rider_(rider) {}

  using StateDone = std::function<void(const absl::Status& status, const DriverState& state)>;

  // `done` on the loop. The state is empty if the driver is unknown. `deadline` is wall time.
  void SetAvailability(const std::string& driver_id, v1::Availability availability, absl::Time deadline,
                       StateDone done);

  // An answer that is checked: whether it is an accept.
  static absl::StatusOr<bool> CheckAnswer(const v1::RespondToOfferRequest& request);

  // `done` on any thread.
  void AdvanceTrip(const std::string& driver_id, const v1::AdvanceTripRequest& request, rpc::CallOptions options,
                   std::function<void(absl::StatusOr<type::v1::Ride>)> done);

  const Clock& clock() const { return clock_; }
  DispatchHost& host() { return host_; }
  DriverStore& store() { return store_; }
  PositionIntake& positions() { return positions_; }
  RiderClient& rider() { return rider_; }

 private:
  const Clock& clock_;
  DispatchHost& host_;
  DriverStore& store_;
  PositionIntake& positions_;
  RiderClient& rider_;
};

}  // namespace hail::driver
