// Many positions, each driver on a separate stream.
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
  // False: the other end is hail-floor, which has no drivers.
  bool register_drivers = true;
  // Positions a second of all drivers together, evenly spread over drivers and time. Unset: as fast as the server
  // reads.
  std::optional<double> rate;
  // The server process, if its cost is to be measured.
  std::optional<WatchedProcess> server;
};

struct Positions {
  // Positions passed to the server: a message is written after the one before has been accepted.
  double per_second = 0;
  // Of plan.server: processor time per position, and the growth of its memory per stream, once all streams were open.
  double cpu_us_per_position = 0;
  double kib_per_stream = 0;
};

// UNAVAILABLE if a stream ended early, or if the streams cannot keep up with `rate`.
absl::StatusOr<Positions> SendPositions(const PositionPlan& plan);

}  // namespace hail::load
