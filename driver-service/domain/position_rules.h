// What is believed of a position that a driver's device sends, and what is refused. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "driver-service/domain/location_index.h"

namespace hail::driver {

// The fastest a car on a road is believed to be, in metres per second.
inline constexpr double kMaxSpeedMps = 90;
// Two fixes of one device this near to each other, in metres, are the same place: receivers are no better in a city.
inline constexpr double kSamePlaceM = 50;
// The oldest fix that is taken (domain time): what a device kept through a day without a network. Riders are told when
// their driver was last seen, and not every length leads back to an instant that the contract can hold.
inline constexpr absl::Duration kMaxFixAge = absl::Hours(24);
// How much two messages of one device can be pushed together on their way, in wall time: what was sent 4 s apart
// arrives at once after a stall of the network, and that is no jump.
inline constexpr absl::Duration kArrivalJitter = absl::Seconds(2);

// INVALID_FIELD naming a part of `field` (a hail.type.v1.Position) unless `fix` is possible by itself: coordinates
// finite, in range and not the zero island, speed in [0, 90], heading in [0, 360), accuracy not negative,
// `age` in [0, kMaxFixAge].
absl::Status CheckFix(const Fix& fix, absl::Duration age, const std::string& field);

// INVALID_FIELD naming `field`.location if no car gets from `earlier` to `later`: further than kSamePlaceM apart and
// further than kMaxSpeedMps carries it in the time between. `jitter` is kArrivalJitter as domain time. Fixes of two
// sessions are not compared: another device of the same driver may be anywhere.
absl::Status CheckJump(const Fix& earlier, const Fix& later, absl::Duration jitter, const std::string& field);

}  // namespace hail::driver
