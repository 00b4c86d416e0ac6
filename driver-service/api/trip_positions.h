// The positions of drivers on a trip, queued for the riders' streams: latest wins, one slot per driver.
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

  // `on_fresh` runs when positions wait after none waited: on the thread that adds the first, under a lock, so it must
  // not call back. Null: no callback.
  void SetOnDirty(std::function<void()> on_fresh);

  // Sets the driver's live ride. Null: none; a waiting position is dropped.
  void SetRide(const std::string& driver_id, const RideRef& ride);

  // Adds a taken fix. No effect for a driver without a ride, or for a fix older than the present one: two calls may
  // come in reverse order.
  void Add(const std::string& driver_id, const Fix& fix);

  // The positions since the last call, with the time to the end of the leg, in messages of limited size. `now` is
  // domain time.
  std::vector<internal::v1::ReportLocationsRequest> Take(absl::Time now);

 private:
  struct Trip {
    RideRef ride;
    Fix fix;
    // Whether `fix` waits for Take.
    bool fresh = false;
  };

  const TravelTimes& travel_times_;
  absl::Mutex mutex_;
  std::function<void()> on_fresh_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Trip> trips_ ABSL_GUARDED_BY(mutex_);
  // Drivers in trips_ with a waiting fix, and some without a trip by now; in order of arrival, so that each run of a
  // simulation has the same order.
  std::vector<std::string> fresh_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::driver
