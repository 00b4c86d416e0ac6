// Positions in numbers, each driver on a stream of its own.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

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
};

struct Positions {
  // Positions handed to the other end: a message is written when the one before has been taken.
  double per_second = 0;
};

// All streams send as fast as they are read. UNAVAILABLE if a stream ended early.
absl::StatusOr<Positions> SendPositions(const PositionPlan& plan);

}  // namespace hail::load
