// How strangers see cars: where cars about are and when one could come, but never where a driver is.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

// The place where a car at `point` is shown: 105 to 270 m from it.
//
// The earth is cut into cells of about 75 m. A car is shown in the middle of one of the sixteen cells that are two away
// from its own. Which of them depends on the driver and on the part of the city (1.2 km a side), and on nothing else:
// - not on the call, so that asking often averages nothing;
// - not on the time, so that a car that stands at the same place each evening is shown at the same wrong place, and
//   asking each evening averages nothing either;
// - not on where in its cell the car is, so that no answer of any kind tells two cars of a cell apart.
// Who knows both a driver's id and which of the cars is that driver's can undo it, down to the cell.
LatLng PlaceShown(const std::string& driver_id, const LatLng& point);

// A car as a stranger sees it. All of it follows from PlaceShown alone.
struct SeenCar {
  std::string driver_id;
  LatLng place;
  // In steps of 45 degrees.
  std::optional<float> heading_deg;
  std::shared_ptr<const CarProfile> car;
  // From `place`, straight.
  double distance_m = 0;
  // From `place`, rounded up to quarters of a minute.
  absl::Duration eta = absl::ZeroDuration();
};

// The `limit` cars shown nearest to the pickup, of those within `radius_m` as shown; quickest first. Radius, limit and
// order go by the places shown as well, or else walking along the edge of an answer would find the car. `now` is domain
// time.
std::vector<SeenCar> CarsSeen(const CarSearch& search, const TravelTimes& travel_times, absl::Time now,
                              const RideNeeds& needs, double radius_m, std::size_t limit);

}  // namespace hail::driver
