// The table of a ride's transitions: state × command → state and event. The rules (ride.cc) look up the
// effect of a command in it. ride_test.cc compares the state sets in ride.h with it.
#pragma once

#include <array>
#include <optional>

#include "absl/time/time.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// The legs that a command applies to. The last leg ends at the drop-off. kNamed: the leg that the command names.
enum class LegRule { kAny, kNamed, kBeforeLast, kLast };

// In Transition::to: the state does not change.
inline constexpr RideState kSameState = RideState::kUnspecified;

// A time field of a ride's record.
struct TimeField {
  bool IsSet(const Ride::Message& ride) const { return (ride.*has)(); }
  google::protobuf::Timestamp* Of(Ride::Message& ride) const { return (ride.*edit)(); }

  bool (Ride::Message::*has)() const;
  google::protobuf::Timestamp* (Ride::Message::*edit)();
};

struct Transition {
  StateRange from;
  RideCommand command;
  RideState to;
  RideEventType event;
  LegRule leg = LegRule::kAny;
  // Set to the time of the transition, which marks the command as taken.
  std::optional<TimeField> time = std::nullopt;
  // Whether the next leg begins.
  bool begins_leg = false;
};

inline constexpr auto kTransitions = [] {
  using S = RideState;
  using C = RideCommand;
  using E = RideEventType;
  using L = LegRule;
  using M = Ride::Message;
  constexpr TimeField kAssign = {&M::has_assign_time, &M::mutable_assign_time};
  constexpr TimeField kSeen = {&M::has_seen_time, &M::mutable_seen_time};
  constexpr TimeField kArrive = {&M::has_arrive_time, &M::mutable_arrive_time};
  constexpr TimeField kStart = {&M::has_start_time, &M::mutable_start_time};
  return std::to_array<Transition>({
      {S::kUnspecified, C::kRequest, S::kMatching, E::kRequested},
      {S::kMatching, C::kAssign, S::kEnrouteToPickup, E::kAssigned, L::kAny, kAssign},
      {S::kMatching, C::kEndUnfulfilled, S::kNoDriversAvailable, E::kUnfulfilled},

      {kWithDriver, C::kSeen, kSameState, E::kAssignmentSeen, L::kAny, kSeen},
      {S::kEnrouteToPickup, C::kArrive, S::kArrivedAtPickup, E::kArrivedAtPickup, L::kBeforeLast, kArrive},
      {S::kArrivedAtPickup, C::kStart, S::kEnrouteToDropoff, E::kStarted, L::kBeforeLast, kStart, true},
      {S::kEnrouteToDropoff, C::kComplete, S::kCompleted, E::kCompleted, L::kLast},
      {S::kEnrouteToDropoff, C::kOperatorComplete, S::kCompleted, E::kCompleted},

      {S::kArrivedAtPickup, C::kWait, kSameState, E::kWaiting, L::kNamed},
      {S::kEnrouteToDropoff, C::kWait, kSameState, E::kWaiting, L::kNamed},

      {S::kEnrouteToPickup, C::kDriverCancel, S::kMatching, E::kRedispatched},
      {S::kEnrouteToPickup, C::kExpireUnacknowledged, S::kMatching, E::kRedispatched},
      // Replaces the two above when the limit of dispatches is reached.
      {S::kEnrouteToPickup, C::kGiveUpDispatching, S::kCanceled, E::kCanceled},
      {S::kArrivedAtPickup, C::kDriverCancel, S::kCanceled, E::kCanceled},
      {S::kEnrouteToDropoff, C::kDriverCancel, S::kCanceled, E::kCanceled},
      {kLive, C::kRiderCancel, S::kCanceled, E::kCanceled},
      {kLive, C::kOperatorCancel, S::kCanceled, E::kCanceled},
  });
}();

// Null: the command is not allowed in that state.
constexpr const Transition* FindTransition(RideState from, RideCommand command) {
  for (const Transition& transition : kTransitions) {
    if (transition.command == command && transition.from.Has(from)) return &transition;
  }
  return nullptr;
}

}  // namespace hail::rider
