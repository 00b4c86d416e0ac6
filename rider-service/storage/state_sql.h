// SQL conditions for a ride's state and an event's type, generated from the sets and tables of the domain. The indexes
// of both schemas contain the same conditions as fixed text (state_sql_test.cc compares them): SQLite uses a partial
// index only for a statement that contains the index's predicate literally.
#pragma once

#include <string>

#include "rider-service/domain/ride.h"

namespace hail::rider {

// "state BETWEEN 2 AND 6". `column`: includes the table's name if two tables are joined.
inline std::string StateIn(StateRange states, const std::string& column = "state") {
  const std::string first = std::to_string(states.first);
  if (states.first == states.last) return column + " = " + first;
  return column + " BETWEEN " + first + " AND " + std::to_string(states.last);
}

// "type = 7".
inline std::string TypeIs(RideEventType type, const std::string& column = "type") {
  return column + " = " + std::to_string(static_cast<int>(type));
}

// Rides that rider-service itself must end or re-dispatch in time: those that wait for a driver, and those whose driver
// has not acknowledged the assignment.
inline std::string ToDispatch() {
  return StateIn(RideState::kMatching) + " OR (" + StateIn(RideState::kEnrouteToPickup) + " AND seen = 0)";
}

}  // namespace hail::rider
