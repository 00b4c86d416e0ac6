// The knowledge of simulated people that does not come from Hail: the durations of recorded trips, and places with
// demand.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "tests/tools/hail-sim/motion.h"
#include "tests/tools/hail-sim/random.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::sim {

class World {
 public:
  World() = default;
  explicit World(const std::vector<Trip>& trips) {
    for (const Trip& trip : trips) {
      pickups_.push_back(trip.pickup);
      if (trip.duration) durations_[Key(trip.pickup, trip.dropoff)] = *trip.duration;
    }
  }

  // From pickup to drop-off: the recorded duration, else an estimate.
  absl::Duration TripTime(const LatLng& pickup, const LatLng& dropoff) const {
    const auto known = durations_.find(Key(pickup, dropoff));
    return known != durations_.end() ? known->second : DriveTime(DistanceM(pickup, dropoff));
  }

  // A place where a ride will be or was requested. Nullopt: there is none.
  std::optional<LatLng> Demand(Random& random) const {
    if (pickups_.empty()) return std::nullopt;
    return pickups_[random.Index(pickups_.size())];
  }

 private:
  using RouteKey = std::tuple<double, double, double, double>;
  static RouteKey Key(const LatLng& a, const LatLng& b) {
    return {a.latitude_deg, a.longitude_deg, b.latitude_deg, b.longitude_deg};
  }

  std::map<RouteKey, absl::Duration> durations_;
  std::vector<LatLng> pickups_;
};

}  // namespace hail::sim
