#include "rider-service/domain/ride.h"

#include <algorithm>
#include <utility>

#include "common/errors/check.h"
#include "common/errors/error.h"
#include "rider-service/domain/cancellation_fee.h"
#include "rider-service/domain/transitions.h"

namespace hail::rider {
namespace {

RideChange Unchanged(const Ride& ride) { return {.ride = ride, .event = std::nullopt, .changed = false}; }

// The ride's times never run backwards, whatever the clock.
absl::Time TimeOf(const Ride& before, absl::Time now) { return std::max(now, before.update_time); }

// The transition of `before`, which is not null. `after` has what the command changes beside it.
RideChange Move(const Ride& before, const Transition* transition, Ride after, CancelReason reason, absl::Time now) {
  const absl::Time at = TimeOf(before, now);
  if (transition->to != kSameState) after.state = transition->to;
  if (transition->time != nullptr) after.*transition->time = at;
  if (transition->begins_leg) ++after.leg;
  if (IsFinal(after.state)) {
    after.match_deadline.reset();
    after.seen_deadline.reset();
    after.end_time = at;
  }
  if (after.state == RideState::kCompleted) after.fare.final_fare = after.fare.quoted;
  HAIL_CHECK(after.state != RideState::kMatching || after.match_deadline);
  HAIL_CHECK(!HasLiveDriver(after.state) || (after.driver && after.assign_time));
  after.sequence = before.sequence + 1;
  after.update_time = at;

  RideEvent event;
  event.ride_id = after.ride_id;
  event.sequence = after.sequence;
  event.type = transition->event;
  event.event_time = at;
  event.reason = reason;
  if (after.driver) {
    event.driver_id = after.driver->driver_id;
    event.ended = IsFinal(after.state);
  }
  event.ride = after;
  return {.ride = std::move(after), .event = std::move(event)};
}

RideChange Cancel(const Ride& ride, const Transition* transition, Cancellation cancellation, absl::Time now) {
  Ride after = ride;
  const CancelReason reason = cancellation.reason;
  after.cancellation = std::move(cancellation);
  return Move(ride, transition, std::move(after), reason, now);
}

// The assignment is over before the pickup: somebody else is looked for, unless that happened too often.
RideChange Redispatch(const Ride& ride, const Transition* transition, CancelReason reason, const RideRules& rules,
                      absl::Time now) {
  if (ride.redispatch_count >= rules.max_redispatches) {
    return Cancel(ride, FindTransition(ride.state, RideCommand::kGiveUpDispatching),
                  {CancelActor::kSystem, CancelReason::kRedispatchLimit, ""}, now);
  }
  HAIL_CHECK(ride.driver);
  Ride after = ride;
  after.epoch = ride.epoch + 1;
  after.excluded_driver_ids.push_back(ride.driver->driver_id);
  after.driver.reset();
  after.offer_id.clear();
  after.assign_time.reset();
  after.seen_time.reset();
  after.seen_deadline.reset();
  after.pickup_eta.reset();
  after.redispatch_count = ride.redispatch_count + 1;
  after.match_deadline = TimeOf(ride, now) + rules.match_deadline;
  RideChange change = Move(ride, transition, std::move(after), reason, now);
  change.event->driver_id = ride.driver->driver_id;
  change.event->ended = true;
  change.event->former = ride;
  change.event->former->sequence = change.ride.sequence;
  change.event->former->update_time = change.ride.update_time;
  change.event->former->assignment_ended = true;
  return change;
}

bool IsExcluded(const Ride& ride, const std::string& driver_id) {
  return std::find(ride.excluded_driver_ids.begin(), ride.excluded_driver_ids.end(), driver_id) !=
         ride.excluded_driver_ids.end();
}

absl::Status AssignmentEnded() {
  return FailedPrecondition(Reason::kAssignmentEnded, "the assignment of this driver to this ride is over");
}

absl::Status RideEnded(const Ride& ride) {
  return FailedPrecondition(Reason::kRideEnded, "the ride has ended: " + StateName(ride.state));
}

absl::Status IllegalStep(const Ride& ride) {
  return FailedPrecondition(
      Reason::kIllegalTransition,
      "the step is not the next of a ride that is " + StateName(ride.state) + " on leg " + std::to_string(ride.leg));
}

// The epochs, for an error about a wrong one.
std::map<std::string, std::string> Epochs(const Ride& ride, std::int64_t sent) {
  return {{"epoch", std::to_string(sent)}, {"ride_epoch", std::to_string(ride.epoch)}};
}

std::string Named(std::int64_t sent, const Ride& ride) {
  return "epoch " + std::to_string(sent) + ", the ride's is " + std::to_string(ride.epoch);
}

bool IsOn(const Ride& ride, LegRule leg) {
  switch (leg) {
    case LegRule::kAny:
      return true;
    case LegRule::kBeforeLast:
      return ride.leg < kLastLeg;
    case LegRule::kLast:
      return ride.leg == kLastLeg;
  }
  return false;
}

// Whether the command is meant for the leg that it names, not for the ride as a whole.
bool IsOfALeg(RideCommand command) {
  return std::any_of(kTransitions.begin(), kTransitions.end(), [command](const Transition& transition) {
    return transition.command == command && transition.leg != LegRule::kAny;
  });
}

// Whether the ride is past the command, at the leg it is on: in the final state that the command leads to, or with the
// time that it sets.
bool AlreadyTaken(const Ride& ride, RideCommand command) {
  return std::any_of(kTransitions.begin(), kTransitions.end(), [&](const Transition& transition) {
    if (transition.command != command || !IsOn(ride, transition.leg)) return false;
    if (IsFinal(transition.to)) return ride.state == transition.to;
    return transition.time != nullptr && (ride.*transition.time).has_value();
  });
}

}  // namespace

std::string StateName(RideState state) {
  for (const StateRow& row : kStates) {
    if (row.state == state) return std::string(row.name);
  }
  return "UNSPECIFIED";
}

std::string EventName(RideEventType type) {
  for (const EventRow& row : kEvents) {
    if (row.type == type) return std::string(row.name);
  }
  return "UNSPECIFIED";
}

bool IsSystemReason(CancelReason reason) {
  return reason == CancelReason::kDriverUnreachable || reason == CancelReason::kRedispatchLimit ||
         reason == CancelReason::kOperator;
}

RideChange NewRide(Ride ride, const RideRules& rules, absl::Time now) {
  Ride before;
  before.update_time = now;
  ride.epoch = 1;
  ride.leg = 0;
  ride.create_time = now;
  ride.match_deadline = now + rules.match_deadline;
  return Move(before, FindTransition(before.state, RideCommand::kRequest), std::move(ride), CancelReason::kUnspecified,
              now);
}

absl::StatusOr<RideChange> Assign(const Ride& ride, const Assignment& assignment, const RideRules& rules,
                                  absl::Time now) {
  if (ride.driver && ride.driver->driver_id == assignment.driver.driver_id && ride.offer_id == assignment.offer_id) {
    return Unchanged(ride);
  }
  const std::map<std::string, std::string> state = {{"state", StateName(ride.state)}};
  if (IsFinal(ride.state)) {
    return FailedPrecondition(Reason::kRideNotMatching, "the ride has ended: " + StateName(ride.state), state);
  }
  if (assignment.epoch != ride.epoch) {
    std::map<std::string, std::string> metadata = Epochs(ride, assignment.epoch);
    metadata.insert(state.begin(), state.end());
    return FailedPrecondition(Reason::kStaleEpoch,
                              "the ride is dispatched at another epoch: " + Named(assignment.epoch, ride), metadata);
  }
  const Transition* transition = FindTransition(ride.state, RideCommand::kAssign);
  if (transition == nullptr) {
    return FailedPrecondition(Reason::kRideNotMatching, "the ride has a driver", state);
  }
  if (IsExcluded(ride, assignment.driver.driver_id)) {
    return FailedPrecondition(Reason::kDriverExcluded, "the driver gave this ride up before");
  }
  Ride after = ride;
  after.leg = 0;
  after.driver = assignment.driver;
  after.offer_id = assignment.offer_id;
  after.pickup_eta = assignment.pickup_eta;
  after.seen_deadline = TimeOf(ride, now) + rules.seen_within;
  after.match_deadline.reset();
  return Move(ride, transition, std::move(after), CancelReason::kUnspecified, now);
}

absl::StatusOr<RideChange> TakeStep(const Ride& ride, const DriverCommand& command, const RideRules& rules,
                                    absl::Time now) {
  if (!ride.driver || ride.driver->driver_id != command.driver_id) {
    if (IsExcluded(ride, command.driver_id)) return AssignmentEnded();
    return NotFound(Reason::kRideNotFound, "no such ride of this driver");
  }
  if (command.epoch < ride.epoch) {
    return FailedPrecondition(Reason::kAssignmentEnded,
                              "the assignment of that epoch is over: " + Named(command.epoch, ride),
                              Epochs(ride, command.epoch));
  }
  if (command.epoch > ride.epoch) {
    return FailedPrecondition(Reason::kIllegalTransition,
                              "the ride has no assignment of that epoch yet: " + Named(command.epoch, ride),
                              Epochs(ride, command.epoch));
  }

  const RideCommand asked = std::visit([](const auto& action) { return action.kCommand; }, command.action);
  const bool of_a_leg = IsOfALeg(asked);
  const bool past_leg = of_a_leg && command.leg < ride.leg;
  const bool this_leg = !of_a_leg || command.leg == ride.leg;
  if (past_leg || (this_leg && AlreadyTaken(ride, asked))) return Unchanged(ride);
  if (IsFinal(ride.state)) {
    if (ride.state == RideState::kCanceled) return AssignmentEnded();
    return RideEnded(ride);
  }
  const Transition* transition = FindTransition(ride.state, asked);
  if (!this_leg || transition == nullptr || !IsOn(ride, transition->leg)) return IllegalStep(ride);

  if (const auto* cancel = std::get_if<trip::Cancel>(&command.action)) {
    if (transition->to == RideState::kMatching) return Redispatch(ride, transition, cancel->reason, rules, now);
    return Cancel(ride, transition, {CancelActor::kDriver, cancel->reason, cancel->note}, now);
  }
  Ride after = ride;
  // Whoever moves a ride on has seen that it is theirs.
  if (!after.seen_time) after.seen_time = TimeOf(ride, now);
  after.seen_deadline.reset();
  return Move(ride, transition, std::move(after), CancelReason::kUnspecified, now);
}

absl::StatusOr<RideChange> CancelByRider(const Ride& ride, CancelReason reason, const std::string& note,
                                         absl::Time now) {
  if (AlreadyTaken(ride, RideCommand::kRiderCancel)) return Unchanged(ride);
  const Transition* transition = FindTransition(ride.state, RideCommand::kRiderCancel);
  if (transition == nullptr) return RideEnded(ride);
  Ride after = ride;
  after.fare.cancellation_fee = CancellationFee(ride, now);
  after.cancellation = {CancelActor::kRider, reason, note};
  return Move(ride, transition, std::move(after), reason, now);
}

absl::Time SeenDeadline(const Ride& ride, const RideRules& rules) {
  if (ride.seen_deadline) return *ride.seen_deadline;
  HAIL_CHECK(ride.assign_time);
  return *ride.assign_time + rules.seen_within;
}

RideChange GiveUpUnseen(const Ride& ride, std::int64_t epoch, const RideRules& rules, absl::Time now) {
  const Transition* transition = FindTransition(ride.state, RideCommand::kGiveUpUnseen);
  if (transition == nullptr || ride.epoch != epoch || ride.seen_time || now < SeenDeadline(ride, rules)) {
    return Unchanged(ride);
  }
  return Redispatch(ride, transition, CancelReason::kDriverUnreachable, rules, now);
}

RideChange EndUnfulfilled(const Ride& ride, std::int64_t epoch, absl::Time now) {
  const Transition* transition = FindTransition(ride.state, RideCommand::kEndUnfulfilled);
  if (transition == nullptr || ride.epoch != epoch || now < *ride.match_deadline) return Unchanged(ride);
  return Move(ride, transition, ride, CancelReason::kUnspecified, now);
}

RideChange RaiseEpoch(const Ride& ride, std::int64_t epoch) {
  if (ride.state != RideState::kMatching || ride.epoch != epoch) return Unchanged(ride);
  RideChange change{.ride = ride, .event = std::nullopt, .changed = true};
  change.ride.epoch = epoch + 1;
  return change;
}

absl::StatusOr<RideChange> Resolve(const Ride& ride, Resolution resolution, const std::string& note, absl::Time now) {
  const bool completes = resolution == Resolution::kComplete;
  const RideCommand command = completes ? RideCommand::kOperatorComplete : RideCommand::kOperatorCancel;
  if (AlreadyTaken(ride, command)) return Unchanged(ride);
  if (IsFinal(ride.state)) return RideEnded(ride);
  const Transition* transition = FindTransition(ride.state, command);
  if (transition == nullptr) return IllegalStep(ride);
  if (completes) return Move(ride, transition, ride, CancelReason::kUnspecified, now);
  return Cancel(ride, transition, {CancelActor::kSystem, CancelReason::kOperator, note}, now);
}

}  // namespace hail::rider
