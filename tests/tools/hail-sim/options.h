// What a run is asked to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/time/clock.h"
#include "tests/tools/hail-sim/odds.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::sim {

struct RunOptions {
  std::string rider_address;
  std::string driver_address;
  TimeScale time;
  Odds odds;
  std::uint64_t seed = 1;
  // Marks this run's riders, drivers and requests, so that runs against the same services do not meet.
  std::string run_id;
  // Rides of the same rider may follow each other.
  bool reuse_riders = false;
  // Trips are requested this much after the run's start: where their record says relative to `trips_from`.
  absl::Time trips_from;
  // Wall time without news after which rides that are not over count as lost. Rides in a driver's hands are not quiet.
  absl::Duration quiet = absl::Seconds(30);
  // Wall time after which everything is cut off. Zero: never.
  absl::Duration duration;
  int channels = 8;
  bool progress = true;
};

}  // namespace hail::sim
