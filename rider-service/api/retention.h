// The end of a ride's detail: erases the persons from rides whose request is longer ago than allowed.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/metrics/metrics.h"
#include "common/time/clock.h"
#include "rider-service/domain/people.h"

namespace hail::rider {

// Runs on the executor until that stops. Replicas that share a store may all do so: a ride that one has done is no
// longer found by the others.
class Retention {
 public:
  // All must outlive the executor. `keep`: wall time since the request.
  Retention(People* people, const Clock* clock, absl::Duration keep, metrics::Registry* registry);

  void Start(Executor* executor);

 private:
  void Batch(bool first, std::function<void(bool more)> finished);

  People* const people_;
  const Clock* const clock_;
  const absl::Duration keep_;
  const metrics::Counter rides_;
  const metrics::Counter failed_;
  // The last ride of the batch before. Batches do not overlap.
  std::string after_;
};

}  // namespace hail::rider
