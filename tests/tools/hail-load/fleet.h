// A whole fleet that loses its streams at once and reconnects within a second, with current rides and new requests.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/tools/hail-load/overload.h"
#include "tests/tools/hail-load/watched_process.h"

namespace hail::load {

struct FleetPlan {
  std::string rider_address;
  std::string driver_address;
  // driver-service's metrics.
  std::string driver_metrics;
  int drivers = 9000;
  // Shared TCP connections; each driver of a real fleet has its own.
  int connections = 100;
  // Rides under way when the streams break.
  int rides = 200;
  // driver-service's process, which is killed; 0: the connections are cut instead.
  int kill = 0;
  // The time over which the streams are reopened; after a kill each driver comes back by itself, as after any error.
  absl::Duration within = absl::Seconds(1);
  // The promise: all drivers are back this long after the streams broke.
  absl::Duration back_within = absl::Seconds(30);
  // Calls a second of riders unaffected by the break, from before it until well after.
  double probes = 40;
  std::vector<WatchedProcess> processes;
  std::string svg;
};

absl::StatusOr<Judged> PlayFleet(const FleetPlan& plan);

}  // namespace hail::load
