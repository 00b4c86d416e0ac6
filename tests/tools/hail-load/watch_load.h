// Many riders who watch their rides through one address: the memory of a watch, and how long an event takes to arrive.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/tools/hail-load/histogram.h"
#include "tests/tools/hail-load/watched_process.h"

namespace hail::load {

struct WatchPlan {
  // Of rider-service or the edge.
  std::string rider_address;
  int watches = 10'000;
  // Shared TCP connections.
  int connections = 100;
  // Rides canceled a second, and for how long.
  double rate = 200;
  absl::Duration length = absl::Seconds(10);
  // The processes whose memory is measured.
  std::vector<WatchedProcess> processes;
};

struct Watches {
  // From the intended send time of a CancelRide until its event was on the stream of the ride's watch.
  Histogram arrival;
  // Cancelations without such an event.
  std::int64_t missing = 0;
  // Growth of each process of the plan by the open watches, in KiB a watch.
  std::vector<double> kib_per_watch;
};

// UNAVAILABLE if not all rides are requested, or not all watches open and stay open.
absl::StatusOr<Watches> MeasureWatches(const WatchPlan& plan);

}  // namespace hail::load
