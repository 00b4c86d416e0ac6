// What statements say of a ride's state and of an event's type, made from the sets and tables of the domain. The
// indexes of both schemas say the same in words of their own, which stay as they were written (state_sql_test.cc
// compares them): SQLite uses a partial index only for a statement that has the index's predicate in it word for word.
#pragma once

#include <string>

#include "rider-service/domain/ride.h"

namespace hail::rider {

// "state BETWEEN 2 AND 6". `column`: with the table's name, where there are two.
inline std::string StateIn(StateRange states, const std::string& column = "state") {
  const std::string first = std::to_string(states.first);
  if (states.first == states.last) return column + " = " + first;
  return column + " BETWEEN " + first + " AND " + std::to_string(states.last);
}

// "type = 7".
inline std::string TypeIs(RideEventType type, const std::string& column = "type") {
  return column + " = " + std::to_string(static_cast<int>(type));
}

// Rides that rider-service has to end or to give to somebody else by itself, in time: those that wait for a driver, and
// those whose driver has not acknowledged the assignment.
inline std::string ToDispatch() {
  return StateIn(RideState::kMatching) + " OR (" + StateIn(RideState::kEnrouteToPickup) + " AND seen = 0)";
}

}  // namespace hail::rider
