// The view of cars for strangers: roughly where cars are and when one could come, but never a driver's true position.
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
// The earth is divided into cells of about 75 m. A car is shown in the middle of one of the sixteen cells that are two
// away from its own, the same of the sixteen for all of a driver's cells:
// - not another for each call, so that repeated calls cannot average the displacement;
// - not another at another time: a car that stands at the same place each evening is shown at the same wrong place, so
//   that calls on several evenings cannot average it either;
// - not another in another part of the city: where the displacement of a driving car changes, the jump tells it;
// - not another within the cell, so that no answer distinguishes two positions within a cell.
// An observer who knows a driver's id and recognizes that driver's car can compute the true cell.
LatLng PlaceShown(const std::string& driver_id, const LatLng& point);

// A car as a stranger sees it. All of it follows from PlaceShown alone.
struct SeenCar {
  std::string driver_id;
  LatLng place;
  // In steps of 45 degrees.
  std::optional<float> heading_deg;
  std::shared_ptr<const CarProfile> car;
  // Straight distance from `place`.
  double distance_m = 0;
  // Time from `place`, rounded up to quarters of a minute.
  absl::Duration eta = absl::ZeroDuration();
};

// The `limit` cars shown nearest to the pickup, within `radius_m` as shown; quickest first. Radius, limit and order
// also use the shown places; otherwise an observer could find a car by walking along the edge of an answer. `now` is
// domain time.
std::vector<SeenCar> CarsSeen(const CarSearch& search, const TravelTimes& travel_times, absl::Time now,
                              const RideNeeds& needs, double radius_m, std::size_t limit);

}  // namespace hail::driver
