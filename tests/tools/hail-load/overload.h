// What becomes of a service that is asked for more than it can do.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "tests/tools/hail-load/watched_process.h"

namespace hail::load {

struct OverloadPlan {
  std::string rider_address;
  int connections = 8;
  // In flight while the capacity is measured.
  int callers = 512;
  absl::Duration deadline = absl::Seconds(1);
  // How long each part takes: a little load before, the capacity, twice (`factor` times) that, a little load after.
  absl::Duration calm = absl::Seconds(5);
  absl::Duration measure = absl::Seconds(10);
  absl::Duration overload = absl::Seconds(60);
  absl::Duration after = absl::Seconds(15);
  double factor = 2;
  // Share of the capacity that is a little load.
  double light = 0.05;
  std::vector<WatchedProcess> processes;
  // Where the plot goes; empty: nowhere.
  std::string svg;
};

struct Judged {
  nlohmann::ordered_json report;
  // What does not hold; empty: all is well.
  std::vector<std::string> complaints;
};

// Plays the plan; progress goes to standard error.
absl::StatusOr<Judged> PlayOverload(const OverloadPlan& plan);

}  // namespace hail::load
