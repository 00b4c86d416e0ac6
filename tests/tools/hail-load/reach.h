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
  // The internal addresses of the replicas that are searched for the driver.
  std::vector<std::string> indexes;
  // The number of positions, and the wait after one is found everywhere before the next.
  int positions = 300;
  absl::Duration pause = absl::Milliseconds(20);
};

struct Reach {
  // From the instant a position was passed to the stream until a search at that index found the driver there; each
  // index is polled by a call that takes some tenths of a millisecond.
  std::vector<Histogram> by_index;
};

// UNAVAILABLE if the driver gets no session, or an index does not find the driver within 10 s.
absl::StatusOr<Reach> MeasureReach(const ReachPlan& plan);

}  // namespace hail::load
