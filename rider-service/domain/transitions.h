// The table of a ride's transitions: state × command → state and event (DESIGN §13). The rules (ride.cc) look up in it
// what a command does. ride_test.cc holds the sets of states in ride.h to it.
#pragma once

#include <array>
#include <optional>

#include "absl/time/time.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// Which legs a command is for. The last one ends at the drop-off.
enum class LegRule { kAny, kBeforeLast, kLast };

// Of Transition::to: the state stays as it is.
inline constexpr RideState kSameState = RideState::kUnspecified;

struct Transition {
  StateRange from;
  RideCommand command;
  RideState to;
  RideEventType event;
  LegRule leg = LegRule::kAny;
  // Set to the time of the transition: it says that the command was taken.
  std::optional<absl::Time> Ride::*time = nullptr;
  // The next leg begins.
  bool begins_leg = false;
};

inline constexpr auto kTransitions = [] {
  using S = RideState;
  using C = RideCommand;
  using E = RideEventType;
  using L = LegRule;
  return std::to_array<Transition>({
      {S::kUnspecified, C::kRequest, S::kMatching, E::kRequested},
      {S::kMatching, C::kAssign, S::kEnrouteToPickup, E::kAssigned, L::kAny, &Ride::assign_time},
      {S::kMatching, C::kEndUnfulfilled, S::kNoDriversAvailable, E::kUnfulfilled},

      {kWithDriver, C::kSeen, kSameState, E::kAssignmentSeen, L::kAny, &Ride::seen_time},
      {S::kEnrouteToPickup, C::kArrive, S::kArrivedAtPickup, E::kArrivedAtPickup, L::kBeforeLast, &Ride::arrive_time},
      {S::kArrivedAtPickup, C::kStart, S::kEnrouteToDropoff, E::kStarted, L::kBeforeLast, &Ride::start_time, true},
      {S::kEnrouteToDropoff, C::kComplete, S::kCompleted, E::kCompleted, L::kLast},
      {S::kEnrouteToDropoff, C::kOperatorComplete, S::kCompleted, E::kCompleted},

      {S::kEnrouteToPickup, C::kDriverCancel, S::kMatching, E::kRedispatched},
      {S::kEnrouteToPickup, C::kGiveUpUnseen, S::kMatching, E::kRedispatched},
      // In place of the two above, once the ride was dispatched as often as it may be.
      {S::kEnrouteToPickup, C::kGiveUpDispatching, S::kCanceled, E::kCanceled},
      {S::kArrivedAtPickup, C::kDriverCancel, S::kCanceled, E::kCanceled},
      {S::kEnrouteToDropoff, C::kDriverCancel, S::kCanceled, E::kCanceled},
      {kLive, C::kRiderCancel, S::kCanceled, E::kCanceled},
      {kLive, C::kOperatorCancel, S::kCanceled, E::kCanceled},
  });
}();

// Null: the command is not for a ride in that state.
constexpr const Transition* FindTransition(RideState from, RideCommand command) {
  for (const Transition& transition : kTransitions) {
    if (transition.command == command && transition.from.Has(from)) return &transition;
  }
  return nullptr;
}

}  // namespace hail::rider
