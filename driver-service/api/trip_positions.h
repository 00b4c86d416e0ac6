// The positions of drivers on a trip, on their way to the riders' streams: latest wins, one slot a driver.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/ride_view.h"
#include "driver-service/domain/travel_times.h"
#include "hail/internal/v1/assignment_service.pb.h"

namespace hail::driver {

// Thread-safe.
class TripPositions {
 public:
  // Must outlive this.
  explicit TripPositions(const TravelTimes& travel_times) : travel_times_(travel_times) {}

  // `on_fresh` runs when there is something to take that was not there before: on the thread that adds it, under a
  // lock, so it must not call back. Null: nobody is told.
  void SetOnDirty(std::function<void()> on_fresh);

  // The driver's ride in hand; null: none, and what was not taken yet is dropped.
  void SetRide(const std::string& driver_id, const RideRef& ride);

  // A fix that was taken. Nothing happens for a driver without a ride, or for one that was taken before what is known:
  // two calls may come here in the other order.
  void Add(const std::string& driver_id, const Fix& fix);

  // What came in since the last call, with the time to the end of the leg, in messages of a bounded size. `now` is
  // domain time.
  std::vector<internal::v1::ReportLocationsRequest> Take(absl::Time now);

 private:
  struct Trip {
    RideRef ride;
    Fix fix;
    // Whether `fix` waits to be taken.
    bool fresh = false;
  };

  const TravelTimes& travel_times_;
  absl::Mutex mutex_;
  std::function<void()> on_fresh_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Trip> trips_ ABSL_GUARDED_BY(mutex_);
  // Those of trips_ with a fix that was not taken, and some without a trip by now; in the order they came, which is the
  // same in each run of a simulation.
  std::vector<std::string> fresh_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::driver
