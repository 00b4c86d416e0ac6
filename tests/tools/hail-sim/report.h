// The figures of a run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/tools/hail-sim/audit.h"

namespace hail::sim {

// Samples, for quantiles.
class Samples {
 public:
  void Add(double value) { values_.push_back(value); }
  std::size_t size() const { return values_.size(); }
  // The smallest sample that at least a share `q` of all does not exceed (nearest rank); 0 without samples.
  double Quantile(double q) const;

 private:
  std::vector<double> values_;
};

struct Report {
  // Outcomes; their sum is `requested`.
  std::int64_t requested = 0;
  std::int64_t completed = 0;
  std::int64_t canceled = 0;
  std::int64_t unfulfilled = 0;
  std::int64_t rejected = 0;
  // Cut off: the run was interrupted, or its time was over.
  std::int64_t in_progress = 0;
  // Acknowledged and not found, or not final although no more news came.
  std::int64_t lost = 0;

  Violations violations;
  std::int64_t offers = 0;
  std::int64_t declined = 0;
  std::int64_t expired = 0;
  std::int64_t redispatched = 0;
  // Wall milliseconds from RequestRide's acknowledgement to the rider's first ASSIGNED, and to the first offer to any
  // driver.
  Samples match_latency_ms;
  Samples offer_latency_ms;
  // Domain seconds from the request to the driver's arrival.
  Samples pickup_wait_s;
  // Wall milliseconds by which the simulator's own thread was late: this adds to all other figures.
  Samples simulator_lag_ms;
  double wall_s = 0;
  bool interrupted = false;
  // All other counters, by name.
  std::map<std::string, std::int64_t> counts;

  // Rides without an outcome.
  std::int64_t Unaccounted() const {
    return requested - completed - canceled - unfulfilled - rejected - in_progress - lost;
  }
  // Whether all guarantees held.
  bool Clean() const;
  nlohmann::ordered_json ToJson() const;
  // The report as text.
  std::string ToTable() const;
};

}  // namespace hail::sim
