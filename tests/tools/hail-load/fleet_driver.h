// A minimal driver's app: a stream that is reopened whenever it ends, a position every few seconds, and an accept for
// every offer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/exec/loop.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/type/v1/geo.pb.h"
#include "tests/tools/hail-load/histogram.h"
#include "tests/tools/hail-sim/calls.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::load {

// State shared by all drivers of a fleet; used only on the fleet's loop, except for the two thread-safe members.
struct FleetState {
  // Thread-safe.
  Loop* loop = nullptr;
  sim::CallsInFlight* in_flight = nullptr;

  sim::Random random{1, "fleet"};
  // Drivers whose stream is open and caught up.
  int caught_up = 0;
  // From a stream's first attempt to open to caught up.
  Histogram catch_up;
  // How streams ended that this program had not cut, by code.
  std::map<std::string, std::int64_t> ended;
  // The driver of each ride, as drivers received it: ride_id → driver_id.
  std::map<std::string, std::string> driven;
  std::int64_t refused_commands = 0;

  // Rides assigned from now on are driven to their end at once.
  bool complete_at_once = false;
  // Called, if set, for each message as it arrives: on gRPC's threads.
  std::function<void(absl::Time at, const hail::driver::v1::StreamDriverResponse&)> on_message;
  // Called, if set, when a driver's position is being sent.
  std::function<void(const std::string& driver_id, std::uint64_t position_seq)> positioned;
};

// Used on the fleet's loop only. Must outlive its calls (FleetState::in_flight) and its tasks on the loop.
class FleetDriver {
 public:
  FleetDriver(FleetState* fleet, std::string driver_id, hail::type::v1::LatLng at);

  const std::string& driver_id() const { return driver_id_; }
  bool caught_up() const { return caught_up_; }

  // Opens the stream by `stub` (which must outlive its streams) after `wait`; again whenever it ends.
  void OpenAfter(absl::Duration wait, hail::driver::v1::DriverService::Stub* stub);
  // Ends the stream without reopening it.
  void Drop();
  // Sends the driver's position.
  void Beat();

 private:
  using Request = hail::driver::v1::StreamDriverRequest;
  using Response = hail::driver::v1::StreamDriverResponse;

  void Open(std::int64_t attempt);
  void OnMessage(const Response& message);
  void OnEnd(absl::Time at, const grpc::Status& status);
  void Seen(const std::string& ride_id, std::int64_t epoch);
  // Sends the step after `event` for a ride that is driven to its end at once.
  void StepAfter(const hail::type::v1::RideEvent& event);
  void SetCaughtUp(bool caught_up);
  Request Position();

  FleetState* const fleet_;
  const std::string driver_id_;
  const hail::type::v1::LatLng at_;
  hail::driver::v1::DriverService::Stub* stub_ = nullptr;
  // Counts attempts and drops: callbacks of an older number are stale.
  std::int64_t attempt_ = 0;
  std::shared_ptr<sim::BidiCall<Request, Response>> stream_;
  absl::Time wanted_since_;
  bool caught_up_ = false;
  bool online_ = false;
  absl::Duration backoff_;
  std::optional<absl::Duration> draining_;
  std::uint64_t position_seq_ = 0;
  std::int64_t commands_ = 0;
  std::optional<hail::type::v1::Cursor> cursor_;
};

}  // namespace hail::load
