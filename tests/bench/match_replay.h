// Recorded trips replayed against a matcher, in domain time alone: no thread, no socket, no clock. The same input gives
// the same output.
//
// Production code: LocationIndex, matchers, travel times, and the rules by which Dispatch looks for drivers.
// Model: drivers accept at once and always; every car fits every ride; idle cars' positions are never stale; riders
// never cancel. After a drop-off a driver drives to the place of a recent request, can get offers on the way, and waits
// there. Recorded cabs find rides near their position; cars that stay at their drop-offs would be missing at the
// pickups.
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
  // 0, as in Dispatch: a ride looks when it is requested. Otherwise all waiting rides look together at each multiple of
  // the window since the epoch.
  absl::Duration window = absl::ZeroDuration();
  // Without a window: rides without a driver look again together, at multiples of `dispatch.rematch_interval`, as in
  // Dispatch. If false, each looks again that long after its last look.
  bool look_again_together = true;
  // A ride without a driver this long after its request stays unfulfilled.
  absl::Duration match_deadline = absl::Seconds(120);
  // The period of Dispatch::Tick. Due looks happen at its multiples, or when the next ride is requested.
  absl::Duration tick = absl::Milliseconds(20);
  // The interval of position reports of drivers without a ride.
  absl::Duration position_interval = absl::Seconds(10);
  // If false, drivers wait where they dropped off.
  bool drivers_return = true;
  // Only the radius and rematch_interval are used.
  driver::DispatchOptions dispatch;
};

struct Served {
  std::string taxi_id;
  // From the request to the assignment.
  absl::Duration match_time;
  // From the assignment until the driver is at the pickup.
  absl::Duration pickup_time;

  // The rider's wait: from the request until the driver is at the pickup.
  absl::Duration wait() const { return match_time + pickup_time; }
};

// The outcome of each trip, in the order given; nullopt if unfulfilled. `trips` are ordered by request time; ids of
// trips and drivers are unique. Each driver of `fleet` is free from the beginning, and again from the drop-off of a
// trip. A trip takes its recorded duration, or the estimated one if none is recorded.
std::vector<std::optional<Served>> Replay(const std::vector<sim::Trip>& trips, const std::vector<sim::Start>& fleet,
                                          const driver::Matcher& matcher, const driver::TravelTimes& travel_times,
                                          const MatchRules& rules);

// The figures of one replay, in seconds. Means and quantiles cover the rides that got a driver.
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
