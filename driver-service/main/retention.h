// The end of the log of offers: deletes those that were made longer ago than allowed.
#pragma once

#include <functional>

#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/metrics/metrics.h"
#include "common/time/clock.h"
#include "driver-service/domain/person_store.h"

namespace hail::driver {

// Runs on the executor until that stops. Replicas that share a store may all do so.
class Retention {
 public:
  // All must outlive the executor. `keep`: wall time since the offer was made.
  Retention(PersonStore* store, const Clock* clock, absl::Duration keep, metrics::Registry* registry);

  void Start(Executor* executor);

 private:
  void Batch(std::function<void(bool more)> finished);

  PersonStore* const store_;
  const Clock* const clock_;
  const absl::Duration keep_;
  const metrics::Counter offers_;
};

}  // namespace hail::driver
