// Logs and counts committed events.
#pragma once

#include <vector>

#include "common/metrics/metrics.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class CommitLog final : public RideObserver {
 public:
  // `registry` must outlive it.
  explicit CommitLog(metrics::Registry* registry);

  void OnCommitted(const Ride& ride, const RideEvent* event) override;

 private:
  // Indexed by RideEventType.
  const std::vector<metrics::Counter> events_;
  const metrics::Histogram match_seconds_;
  const metrics::Histogram pickup_wait_seconds_;
};

}  // namespace hail::rider
