// The two kinds of time in Hail.
//
// The rules of a ride use domain time: offers, deadlines, fees, free cancellation, freshness of positions. It can run
// faster than wall time, by the same anchor in both services and the simulator:
//     domain = anchor.domain + (wall − anchor.wall) × scale
// Machines use wall time: heartbeats, leases, RPC deadlines, resends, ids. Wall time is the process's own: it shows the
// machine's wall clock, but does not jump when that clock is set (SteadyWall), so lengths are measured by it too.
#pragma once

#include "absl/time/time.h"

namespace hail {

// One reading of both times, taken together. Cores get it as input and never read a clock.
struct Now {
  absl::Time domain;
  absl::Time wall;
};

// The relation of domain time to wall time. The default is the identity.
struct TimeScale {
  absl::Time anchor_wall = absl::UnixEpoch();
  absl::Time anchor_domain = absl::UnixEpoch();
  // Domain seconds per wall second, above 0.
  double scale = 1.0;

  absl::Time ToDomain(absl::Time wall) const;
  absl::Time ToWall(absl::Time domain) const;
  // Converts a length of domain time to a length of wall time.
  absl::Duration ToWall(absl::Duration domain) const;
  absl::Duration ToDomain(absl::Duration wall) const;
};

// The source of time for the code around the cores. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now Read() const = 0;
  virtual const TimeScale& scale() const = 0;
};

// Wall time for code without a Clock: lengths within one thread or library. All readers in a process see the same.
// Thread-safe.
absl::Time WallNow();

// WallNow(), with domain time by `scale`.
class SystemClock final : public Clock {
 public:
  explicit SystemClock(TimeScale scale = {}) : scale_(scale) {}
  Now Read() const override;
  const TimeScale& scale() const override { return scale_; }

 private:
  const TimeScale scale_;
};

}  // namespace hail
