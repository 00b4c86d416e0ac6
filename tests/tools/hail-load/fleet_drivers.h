// The drivers of a fleet, on a separate loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/exec/loop.h"
#include "grpcpp/channel.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "tests/tools/hail-load/fleet_driver.h"
#include "tests/tools/hail-sim/calls.h"

namespace hail::load {

// The `number`th rider's request in the fleet's city: pickups and drop-offs are evenly spread over the city.
hail::rider::v1::RequestRideRequest FleetRequest(const std::string& run_id, std::uint64_t number);

struct FleetOptions {
  std::string driver_address;
  int drivers = 0;
  int connections = 1;
  // Each driver sends its position at this interval.
  absl::Duration beat;
};

// Thread-safe, except for destruction.
class Fleet {
 public:
  Fleet(FleetOptions options, const std::string& run_id);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Registers all drivers.
  absl::Status Register();
  // Opens all streams, at instants spread evenly over `within`.
  void OpenAll(absl::Duration within);
  // Ends all connections at once.
  void DropAll();

  // Runs `task` on the loop, where the state may be used, and waits until it is done.
  void OnLoop(const std::function<void(FleetState&)>& task);
  template <typename T>
  T Read(const std::function<T(const FleetState&)>& read) {
    T result;
    OnLoop([&](FleetState& state) { result = read(state); });
    return result;
  }
  int CaughtUp() {
    return Read<int>([](const FleetState& state) { return state.caught_up; });
  }

 private:
  // Makes new connections; closes the old ones, which no stream uses any more.
  void Connect();

  const FleetOptions options_;
  FleetState state_;
  sim::CallsInFlight in_flight_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<hail::driver::v1::DriverService::Stub>> stubs_;
  std::vector<std::unique_ptr<FleetDriver>> drivers_;
  std::size_t beat_ = 0;
  // Last: its tasks use all members above.
  Loop loop_{"fleet"};
};

}  // namespace hail::load
