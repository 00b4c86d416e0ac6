// Which of two positions of one driver is the later one: the one order that every place uses.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail {

// How much two messages of one device can be pushed together on their way, in wall time: what was sent 4 s apart
// arrives at once after a stall of the network. Instants of observation that are no further apart may be in either
// order.
inline constexpr absl::Duration kArrivalJitter = absl::Seconds(2);

// What orders the positions of one driver.
struct Observation {
  // Of the driver's session.
  std::int64_t session_epoch = 0;
  // The device's own number; 0: it does not count.
  std::uint64_t position_seq = 0;
  // Domain time: receipt − age.
  absl::Time observed = absl::InfinitePast();
  LatLng point;
};

// Whether `next` was observed after `known`. A position of an earlier session never was, nor was one that is older by
// more than `jitter` (kArrivalJitter as domain time), whatever its number: numbers restart, stand still, or run out.
// Of positions that are nearly as old as each other the later session's, then the higher number is the later. The same
// number at the same place is the same position again.
bool IsLater(const Observation& next, const Observation& known, absl::Duration jitter);

// The instant under which a later position is kept: after every one that was kept before it, so that what is known
// never goes back.
absl::Time KeptInstant(absl::Time next, absl::Time known);

}  // namespace hail
