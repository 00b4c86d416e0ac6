// The behaviour of a service under more load than its capacity.
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
  // Calls in flight while the capacity is measured.
  int callers = 512;
  absl::Duration deadline = absl::Seconds(1);
  // The duration of each part: a light load before, the capacity, `factor` (default: 2) times the capacity, a light
  // load after.
  absl::Duration calm = absl::Seconds(5);
  absl::Duration measure = absl::Seconds(10);
  absl::Duration overload = absl::Seconds(60);
  absl::Duration after = absl::Seconds(15);
  double factor = 2;
  // The light load, as a share of the capacity.
  double light = 0.05;
  std::vector<WatchedProcess> processes;
  // The file for the plot; empty: none.
  std::string svg;
};

struct Judged {
  nlohmann::ordered_json report;
  // The broken promises; empty: all hold.
  std::vector<std::string> complaints;
};

// Runs the plan; progress goes to standard error.
absl::StatusOr<Judged> PlayOverload(const OverloadPlan& plan);

}  // namespace hail::load
