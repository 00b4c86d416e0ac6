// Recorded trips replayed against a matcher, in domain time alone: no thread, no socket, no clock. The same input gives
// the same output.
//
// What is ours: LocationIndex, matchers, travel times, and the rules by which Dispatch looks for drivers. What is a
// model: drivers accept at once and always; every car fits every ride; idle cars' positions are never stale; riders
// never cancel. After a drop-off a driver makes for where a ride was asked for lately, can be offered rides on the way,
// and waits there: recorded cabs find rides near where they are, and cars left standing where riders get off would run
// out where riders get on.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "driver-service/domain/dispatch.h"
#include "driver-service/domain/matcher.h"
#include "driver-service/domain/travel_times.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::bench {

// When rides look for a driver. All lengths are of domain time.
struct MatchRules {
  // 0, as Dispatch does: a ride looks as it is requested. Above: all that wait look together at each multiple of the
  // window since the epoch.
  absl::Duration window = absl::ZeroDuration();
  // Without a window: rides that found nobody look again together, at multiples of `dispatch.rematch_interval`, as
  // Dispatch does. False: each that long after its last look.
  bool look_again_together = true;
  // A ride that has no driver so long after its request goes unfulfilled.
  absl::Duration match_deadline = absl::Seconds(120);
  // What is due is done at multiples of this, or as the next ride comes in: the period of Dispatch::Tick.
  absl::Duration tick = absl::Milliseconds(20);
  // How often a driver without a ride says where it is.
  absl::Duration position_interval = absl::Seconds(10);
  // Without: drivers wait where they dropped off.
  bool drivers_return = true;
  // The radius and rematch_interval count.
  driver::DispatchOptions dispatch;
};

struct Served {
  std::string taxi_id;
  // From the request to the assignment.
  absl::Duration match_time;
  // From the assignment until the driver is at the pickup.
  absl::Duration pickup_time;

  // What the rider feels: from the request until the driver is at the pickup.
  absl::Duration wait() const { return match_time + pickup_time; }
};

// What became of each trip, in the order given; nullopt: unfulfilled. `trips` are by request time, ids of trips and
// drivers are unique. Each driver of `fleet` is free from the beginning, and again from the drop-off of a trip on. A
// trip takes as long as recorded, or as estimated where that is not known.
std::vector<std::optional<Served>> Replay(const std::vector<sim::Trip>& trips, const std::vector<sim::Start>& fleet,
                                          const driver::Matcher& matcher, const driver::TravelTimes& travel_times,
                                          const MatchRules& rules);

// Of one replay, in seconds; means and quantiles are of the rides that got a driver.
struct MatchFigures {
  std::size_t rides = 0;
  std::size_t unfulfilled = 0;
  double match_mean_s = 0;
  double match_p95_s = 0;
  double pickup_mean_s = 0;
  double pickup_p95_s = 0;
  double wait_mean_s = 0;
  double wait_p95_s = 0;
};

// Quantiles by nearest rank.
MatchFigures FiguresOf(const std::vector<std::optional<Served>>& rides);

}  // namespace hail::bench
