// A clock that moves only when a test moves it. For tests and the simulation.
#pragma once

#include "absl/synchronization/mutex.h"
#include "common/time/clock.h"

namespace hail {

// Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time wall = absl::FromUnixSeconds(1'700'000'000), TimeScale scale = {})
      : scale_(scale), wall_(wall) {}

  Now Read() const override {
    absl::MutexLock lock(&mutex_);
    return {scale_.ToDomain(wall_), wall_};
  }
  const TimeScale& scale() const override { return scale_; }

  // Advances wall time (domain time follows).
  void Advance(absl::Duration wall) {
    absl::MutexLock lock(&mutex_);
    wall_ += wall;
  }

 private:
  const TimeScale scale_;
  mutable absl::Mutex mutex_;
  absl::Time wall_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail
