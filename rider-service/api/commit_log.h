// What the log and the metrics say of each committed event.
#pragma once

#include <vector>

#include "common/metrics/metrics.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Logs and counts, then tells `next`. Thread-safe.
class CommitLog final : public RideObserver {
 public:
  // Both must outlive it.
  CommitLog(metrics::Registry* registry, RideObserver* next);

  void OnCommitted(const Ride& ride, const RideEvent* event) override;
  void OnFound(const Ride& ride) override { next_->OnFound(ride); }
  bool Behind() const override { return next_->Behind(); }

 private:
  RideObserver* const next_;
  // By RideEventType.
  const std::vector<metrics::Counter> events_;
  const metrics::Histogram match_seconds_;
  const metrics::Histogram pickup_wait_seconds_;
};

}  // namespace hail::rider
