// The rules for accepting and refusing positions from drivers' devices. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "driver-service/domain/near_driver.h"

namespace hail::driver {

// The maximum plausible speed of a car, in metres per second.
inline constexpr double kMaxSpeedMps = 90;
// Two fixes of one device within this distance, in metres, count as the same place: receivers in a city are no better.
inline constexpr double kSamePlaceM = 50;
// The maximum age of an accepted fix (domain time): for a device that kept it through a day without a network. Riders
// see when their driver was last seen, and the contract cannot represent every instant.
inline constexpr absl::Duration kMaxFixAge = absl::Hours(24);

// A fix is too inaccurate if its accuracy is worse than the known one's by more than this, in metres, and by more than
// a car has moved since. A device without an accuracy is assumed to have kSamePlaceM.
inline constexpr double kCoarserByM = 100;
// The distance that a car in traffic moves, in metres per second.
inline constexpr double kUsualSpeedMps = 30;
// Domain time. An older known fix brings no offers, so a coarse newer one is better.
inline constexpr absl::Duration kRecentFix = absl::Seconds(30);

// When this many later fixes agree with each other, they replace the known one. The last of them is included.
inline constexpr int kFixesBelieved = 3;

// INVALID_FIELD naming a part of `field` (a hail.type.v1.Position) unless `fix` is possible by itself: coordinates
// finite, in range and not near (0, 0), speed in [0, 90], heading in [0, 360), accuracy not negative, `age` in [0,
// kMaxFixAge].
absl::Status CheckFix(const Fix& fix, absl::Duration age, const std::string& field);

// The verdict on a fix that is possible by itself.
enum class FixVerdict {
  // It is the driver's present position.
  kTaken,
  // The same; it also replaces a known fix that several fixes in a row disagreed with.
  kTakenInstead,
  // It was observed before the known one, or is a repetition.
  kOlder,
  // No car can get there from the known one. It is held as evidence against the known one.
  kTooFar,
  // It is much less accurate than the known one, which is recent.
  kInaccurate,
};

inline bool IsTaken(FixVerdict verdict) {
  return verdict == FixVerdict::kTaken || verdict == FixVerdict::kTakenInstead;
}

// The verdicts on the fixes of one message.
struct PositionTally {
  int taken = 0;
  int older = 0;
  int too_far = 0;
  int inaccurate = 0;
  int impossible = 0;

  // Whether a device that does not wait for answers should get the tally: some fixes are bad, or no fix of the message
  // counted. Single old ones among others are normal where messages are resent.
  bool IsWorthTelling() const { return too_far + inaccurate + impossible > 0 || (taken == 0 && older > 0); }
};

// Decides which fix of a driver counts.
//
// A known fix may be wrong: a receiver's first one is often far off. So a fix that no car can reach from the known one
// is not taken, but held. When kFixesBelieved in a row agree with each other, the last of them is taken and replaces
// the known one. Until then the known one is in doubt: the driver may be at neither place.
class FixJudge {
 public:
  // The consecutive fixes that disagree with the known one. They agree with each other, so the latest represents all.
  struct Held {
    Fix latest;
    int count = 0;
  };

  // `jitter` is kArrivalJitter as domain time.
  explicit FixJudge(absl::Duration jitter) : jitter_(jitter) {}

  // Judges `fix`, which passes CheckFix, against the `known` one. `held` is kept per driver, empty at first; while it
  // is not empty, `known` is in doubt. For a taken fix, `observed` is set to the time under which it is stored.
  FixVerdict Judge(const Fix& known, Held& held, Fix& fix) const;

  // Takes `fix` if it is later than the `known` one, without other checks, because another replica has judged it.
  bool Follow(const Fix& known, Fix& fix) const;

 private:
  // Whether a car can get from `from` to `to` in the time between, given the accuracy of both. Always true for fixes of
  // two sessions: another device of the same driver may be anywhere.
  bool Reaches(const Fix& from, const Fix& to) const;

  const absl::Duration jitter_;
};

}  // namespace hail::driver
