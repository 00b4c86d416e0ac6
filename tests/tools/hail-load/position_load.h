// Positions in numbers, each driver on a stream of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/tools/hail-load/watched_process.h"

namespace hail::load {

struct PositionPlan {
  std::string driver_address;
  int drivers = 16;
  int connections = 8;
  int per_message = 1;
  absl::Duration warm_up = absl::Seconds(2);
  absl::Duration length = absl::Seconds(5);
  // False: the other end is hail-floor, which knows no drivers.
  bool register_drivers = true;
  // Positions a second of all drivers together, evenly spread over them and over time. Unset: as fast as they are read.
  std::optional<double> rate;
  // The other end, if its cost is to be known.
  std::optional<WatchedProcess> server;
};

struct Positions {
  // Positions handed to the other end: a message is written when the one before has been taken.
  double per_second = 0;
  // Of plan.server: processor time for each of them, and what its memory grew by for each stream, once all were open.
  double cpu_us_per_position = 0;
  double kib_per_stream = 0;
};

// UNAVAILABLE if a stream ended early, or if the streams cannot take `rate`.
absl::StatusOr<Positions> SendPositions(const PositionPlan& plan);

}  // namespace hail::load
