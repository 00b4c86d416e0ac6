// The two times Hail knows.
//
// Domain time is what a ride's rules are written in: offers, deadlines, fees, free cancellation, freshness of
// positions. It can run faster than the wall's, by the same anchor in both services and the simulator:
//     domain = anchor.domain + (wall − anchor.wall) × scale
// Wall time is for what machines agree on: heartbeats, leases, RPC deadlines, resends, ids. It is the process's own: it
// names instants as the machine's wall clock does, but does not jump when somebody sets that clock (SteadyWall), so
// lengths are measured by it as well.
#pragma once

#include "absl/time/time.h"

namespace hail {

// One reading of both, taken together. Cores get it as input and never read a clock.
struct Now {
  absl::Time domain;
  absl::Time wall;
};

// How domain time follows from wall time. The default is the identity.
struct TimeScale {
  absl::Time anchor_wall = absl::UnixEpoch();
  absl::Time anchor_domain = absl::UnixEpoch();
  // Domain seconds per wall second, above 0.
  double scale = 1.0;

  absl::Time ToDomain(absl::Time wall) const;
  absl::Time ToWall(absl::Time domain) const;
  // A length of domain time as a length of wall time.
  absl::Duration ToWall(absl::Duration domain) const;
  absl::Duration ToDomain(absl::Duration wall) const;
};

// Where shells read the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now Read() const = 0;
  virtual const TimeScale& scale() const = 0;
};

// Wall time, for what has no Clock: lengths within one thread or library. All of a process read the same. Thread-safe.
absl::Time WallNow();

// WallNow(), through `scale`.
class SystemClock final : public Clock {
 public:
  explicit SystemClock(TimeScale scale = {}) : scale_(scale) {}
  Now Read() const override;
  const TimeScale& scale() const override { return scale_; }

 private:
  const TimeScale scale_;
};

}  // namespace hail
