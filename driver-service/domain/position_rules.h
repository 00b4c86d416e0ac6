// What is believed of a position that a driver's device sends, and what is refused. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "driver-service/domain/near_driver.h"

namespace hail::driver {

// The fastest a car on a road is believed to be, in metres per second.
inline constexpr double kMaxSpeedMps = 90;
// Two fixes of one device this near to each other, in metres, are the same place: receivers are no better in a city.
inline constexpr double kSamePlaceM = 50;
// The oldest fix that is taken (domain time): what a device kept through a day without a network. Riders are told when
// their driver was last seen, and not every length leads back to an instant that the contract can hold.
inline constexpr absl::Duration kMaxFixAge = absl::Hours(24);

// A fix that is less accurate than the known one by more than this, in metres, and by more than a car has moved since,
// says less than what is known already. A device that does not say how accurate its fixes are is believed to be so to
// kSamePlaceM.
inline constexpr double kCoarserByM = 100;
// What a car in traffic moves, in metres per second.
inline constexpr double kUsualSpeedMps = 30;
// Domain time. A known fix that is older brings no offers: a coarse one is better.
inline constexpr absl::Duration kRecentFix = absl::Seconds(30);

// So many later fixes that agree with each other are believed rather than the known one, the last of them included.
inline constexpr int kFixesBelieved = 3;

// INVALID_FIELD naming a part of `field` (a hail.type.v1.Position) unless `fix` is possible by itself: coordinates
// finite, in range and not the zero island, speed in [0, 90], heading in [0, 360), accuracy not negative,
// `age` in [0, kMaxFixAge].
absl::Status CheckFix(const Fix& fix, absl::Duration age, const std::string& field);

// What becomes of a fix that is possible by itself.
enum class FixVerdict {
  // It is where the driver is now.
  kTaken,
  // The same; and the known one is given up, which several fixes in a row disagreed with.
  kTakenInstead,
  // It was observed before the known one, or is the same again.
  kOlder,
  // No car gets there from the known one. It is held against the known one.
  kTooFar,
  // It is much less accurate than the known one, which is recent.
  kInaccurate,
};

inline bool IsTaken(FixVerdict verdict) {
  return verdict == FixVerdict::kTaken || verdict == FixVerdict::kTakenInstead;
}

// What became of the fixes of one message.
struct PositionTally {
  int taken = 0;
  int older = 0;
  int too_far = 0;
  int inaccurate = 0;
  int impossible = 0;

  // Whether a device that reports without waiting for answers has something to learn: that its fixes are bad, or that
  // none of a message counted. Single old ones among others are usual where messages are resent.
  bool IsWorthTelling() const { return too_far + inaccurate + impossible > 0 || (taken == 0 && older > 0); }
};

// Which fix of a driver counts.
//
// A known fix may be the wrong one: a receiver's first is often far off. So a fix that no car reaches from the known
// one is left out, but held; when kFixesBelieved in a row agree with each other, the last of them is taken and the
// known one is given up. In the meantime the known one is in doubt: the driver may be at neither place.
class FixJudge {
 public:
  // The fixes that disagree with the known one, in a row. They agree with each other, so the latest stands for all.
  struct Held {
    Fix latest;
    int count = 0;
  };

  // `jitter` is kArrivalJitter as domain time.
  explicit FixJudge(absl::Duration jitter) : jitter_(jitter) {}

  // Judges `fix`, which passes CheckFix, against the `known` one. `held` is kept per driver, empty at first; while it
  // is not empty, `known` is in doubt. Of a fix that is taken, `observed` becomes the instant under which it is kept.
  FixVerdict Judge(const Fix& known, Held& held, Fix& fix) const;

  // Takes `fix` if it is later than the `known` one, without further question: somebody else has judged it.
  bool Follow(const Fix& known, Fix& fix) const;

 private:
  // Whether a car gets from `from` to `to` in the time between, both being as inaccurate as they say. Fixes of two
  // sessions are not compared: another device of the same driver may be anywhere.
  bool Reaches(const Fix& from, const Fix& to) const;

  const absl::Duration jitter_;
};

}  // namespace hail::driver
