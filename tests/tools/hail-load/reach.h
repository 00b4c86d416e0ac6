// How long a driver's position takes from one replica of driver-service into the others' indexes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/tools/hail-load/histogram.h"

namespace hail::load {

struct ReachPlan {
  // The public address of the replica that the driver is connected to.
  std::string driver_address;
  // The internal addresses of those that are asked for the driver.
  std::vector<std::string> indexes;
  // How many positions, and how far apart in time, from one found everywhere to the next.
  int positions = 300;
  absl::Duration pause = absl::Milliseconds(20);
};

struct Reach {
  // From the instant a position was given to the stream until a search at that index found the driver there; each index
  // is asked again and again, by a call that takes some tenths of a millisecond.
  std::vector<Histogram> by_index;
};

// UNAVAILABLE if the driver gets no session, or is not found somewhere within 10 s.
absl::StatusOr<Reach> MeasureReach(const ReachPlan& plan);

}  // namespace hail::load
