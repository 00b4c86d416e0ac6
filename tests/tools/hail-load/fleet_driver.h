// One driver's app, as plain as can be: a stream that is opened again whenever it ends, a position every few seconds,
// and yes to every offer.
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

// What all drivers of a fleet share; used on the fleet's loop only, but for the two that are thread-safe.
struct FleetState {
  // Thread-safe.
  Loop* loop = nullptr;
  sim::CallsInFlight* in_flight = nullptr;

  sim::Random random{1, "fleet"};
  // Drivers whose stream is open and caught up.
  int caught_up = 0;
  // From a stream's first attempt to open to caught up.
  Histogram catch_up;
  // How streams ended that nobody here had cut, by code.
  std::map<std::string, std::int64_t> ended;
  // Who drives which ride, as drivers were told: ride_id → driver_id.
  std::map<std::string, std::string> driven;
  std::int64_t refused_commands = 0;

  // Rides assigned from now on are driven to their end at once.
  bool complete_at_once = false;
  // Unless null. Each message as it comes: on gRPC's threads.
  std::function<void(absl::Time at, const hail::driver::v1::StreamDriverResponse&)> heard;
  // Unless null. A driver's position is being sent.
  std::function<void(const std::string& driver_id, std::uint64_t position_seq)> positioned;
};

// Used on the fleet's loop only. Must outlive its calls (FleetState::in_flight) and what it posted to the loop.
class FleetDriver {
 public:
  FleetDriver(FleetState* fleet, std::string driver_id, hail::type::v1::LatLng at);

  const std::string& driver_id() const { return driver_id_; }
  bool caught_up() const { return caught_up_; }

  // Opens the stream by `stub` (which must outlive its streams) after `wait`; again whenever it ends.
  void OpenAfter(absl::Duration wait, hail::driver::v1::DriverService::Stub* stub);
  // Ends the stream, and does not open it again.
  void Drop();
  // Shows where the driver is.
  void Beat();

 private:
  using Request = hail::driver::v1::StreamDriverRequest;
  using Response = hail::driver::v1::StreamDriverResponse;

  void Open(std::int64_t attempt);
  void OnMessage(const Response& message);
  void OnEnd(absl::Time at, const grpc::Status& status);
  void Seen(const std::string& ride_id, std::int64_t epoch);
  // The step after what `event` tells, of a ride that is driven to its end at once.
  void StepAfter(const hail::type::v1::RideEvent& event);
  void SetCaughtUp(bool caught_up);
  Request Position();

  FleetState* const fleet_;
  const std::string driver_id_;
  const hail::type::v1::LatLng at_;
  hail::driver::v1::DriverService::Stub* stub_ = nullptr;
  // Counts attempts and drops: what belongs to an older one is stale.
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
