// Defines which of two positions of one driver is the later one. All code uses this order.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail {

// How much closer together two messages of one device may arrive than they were sent, in wall time: messages sent 4 s
// apart arrive at once after a stall of the network. Observation times that differ by less than this may be in either
// order.
inline constexpr absl::Duration kArrivalJitter = absl::Seconds(2);

// What orders the positions of one driver.
struct Observation {
  // Epoch of the driver's session.
  std::int64_t session_epoch = 0;
  // The device's own number; 0: the device does not count.
  std::uint64_t position_seq = 0;
  // Domain time: receipt − age.
  absl::Time observed = absl::InfinitePast();
  LatLng point;
};

// Whether `next` was observed after `known`. False for a position of an earlier session, and for a position that is
// older by more than `jitter` (kArrivalJitter as domain time), whatever its number: numbers restart, stand still, or
// run out. If both are about equally old, the position of the later session is the later one; within one session, the
// position with the higher number. The same number at the same place is the same position again.
bool IsLater(const Observation& next, const Observation& known, absl::Duration jitter);

// The time to store with a later position. It is after the times of all positions stored before, so that stored times
// never go back.
absl::Time KeptInstant(absl::Time next, absl::Time known);

}  // namespace hail
