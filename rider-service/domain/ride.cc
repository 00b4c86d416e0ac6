#include "rider-service/domain/ride.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/errors/check.h"
#include "common/errors/error.h"
#include "common/proto/bytes.h"
#include "rider-service/domain/cancellation_fee.h"
#include "rider-service/domain/transitions.h"

namespace hail::rider {
namespace {

// Compares unknown fields too.
bool Same(const google::protobuf::MessageLite& a, const google::protobuf::MessageLite& b) {
  return DeterministicBytes(a) == DeterministicBytes(b);
}

RideChange Unchanged(const Ride& ride) { return {.ride = ride, .event = std::nullopt, .changed = false}; }

// The ride's times never go back, whatever the clock says.
absl::Time TimeOf(const Ride& before, absl::Time now) { return std::max(now, before.update_time()); }

// Applies the transition of `before`, which must not be null. `after` contains the command's other changes.
RideChange Move(const Ride& before, const Transition* transition, Ride after, CancelReason reason, absl::Time now) {
  const absl::Time at = TimeOf(before, now);
  Ride::Message& ride = *after.Edit();
  if (transition->to != kSameState) {
    after.set_state(transition->to);
    ride.clear_wait();
  }
  if (transition->time) Encode(at, transition->time->Of(ride));
  if (transition->begins_leg) ride.set_leg(ride.leg() + 1);
  if (IsFinal(after.state())) {
    ride.clear_match_deadline();
    ride.clear_seen_deadline();
    Encode(at, ride.mutable_end_time());
  }
  if (after.state() == RideState::kCompleted) *ride.mutable_fare()->mutable_final() = ride.fare().quoted();
  HAIL_CHECK(after.state() != RideState::kMatching || ride.has_match_deadline());
  HAIL_CHECK(!HasLiveDriver(after.state()) || (ride.has_driver() && ride.has_assign_time()));
  ride.set_sequence(before.sequence() + 1);
  Encode(at, ride.mutable_update_time());

  RideEvent event;
  event.message.set_ride_id(ride.ride_id());
  event.message.set_sequence(ride.sequence());
  event.message.set_type(static_cast<hail::type::v1::RideEventType>(transition->event));
  Encode(at, event.message.mutable_event_time());
  event.set_reason(reason);
  if (ride.has_driver()) {
    event.driver_id = ride.driver().driver_id();
    event.message.set_ended(IsFinal(after.state()));
  }
  event.ride = after;
  return {.ride = std::move(after), .event = std::move(event)};
}

RideChange Cancel(const Ride& ride, const Transition* transition, const Cancellation& cancellation, absl::Time now) {
  Ride after = ride;
  after.set_cancellation(cancellation);
  return Move(ride, transition, std::move(after), cancellation.reason, now);
}

// The assignment ended before the pickup: the ride looks for another driver, unless that happened too often.
RideChange Redispatch(const Ride& ride, const Transition* transition, CancelReason reason, const RideRules& rules,
                      absl::Time now) {
  if (ride.redispatch_count() >= rules.max_redispatches) {
    return Cancel(ride, FindTransition(ride.state(), RideCommand::kGiveUpDispatching),
                  {CancelActor::kSystem, CancelReason::kRedispatchLimit, ""}, now);
  }
  HAIL_CHECK(ride.driver() != nullptr);
  const std::string& driver_id = ride.driver()->driver_id();
  Ride after = ride;
  after.EditInternals()->add_excluded_driver_ids(driver_id);
  Ride::Message& next = *after.Edit();
  next.set_epoch(ride.epoch() + 1);
  next.clear_driver();
  next.clear_offer_id();
  next.clear_assign_time();
  next.clear_seen_time();
  next.clear_seen_deadline();
  next.clear_pickup_eta();
  next.set_redispatch_count(ride.redispatch_count() + 1);
  Encode(TimeOf(ride, now) + rules.match_deadline, next.mutable_match_deadline());
  RideChange change = Move(ride, transition, std::move(after), reason, now);
  change.event->driver_id = driver_id;
  change.event->message.set_ended(true);
  change.event->former = ride;
  Ride::Message& former = *change.event->former->Edit();
  former.set_sequence(change.ride.sequence());
  *former.mutable_update_time() = change.ride.message().update_time();
  former.set_assignment_ended(true);
  return change;
}

bool IsExcluded(const Ride& ride, const std::string& driver_id) {
  const auto& excluded = ride.excluded_driver_ids();
  return std::find(excluded.begin(), excluded.end(), driver_id) != excluded.end();
}

absl::Status AssignmentEnded() {
  return FailedPrecondition(Reason::kAssignmentEnded, "the assignment of this driver to this ride is over");
}

absl::Status RideEnded(const Ride& ride) {
  return FailedPrecondition(Reason::kRideEnded, "the ride has ended: " + StateName(ride.state()));
}

absl::Status IllegalStep(const Ride& ride) {
  return FailedPrecondition(Reason::kIllegalTransition, "the step is not the next of a ride that is " +
                                                            StateName(ride.state()) + " on leg " +
                                                            std::to_string(ride.leg()));
}

// The two epochs, for the error about a wrong one.
std::map<std::string, std::string> Epochs(const Ride& ride, std::int64_t sent) {
  return {{"epoch", std::to_string(sent)}, {"ride_epoch", std::to_string(ride.epoch())}};
}

std::string Named(std::int64_t sent, const Ride& ride) {
  return "epoch " + std::to_string(sent) + ", the ride's is " + std::to_string(ride.epoch());
}

bool IsOn(const Ride& ride, LegRule leg) {
  switch (leg) {
    case LegRule::kAny:
    case LegRule::kNamed:
      return true;
    case LegRule::kBeforeLast:
      return ride.leg() < kLastLeg;
    case LegRule::kLast:
      return ride.leg() == kLastLeg;
  }
  return false;
}

// Whether the command applies to the leg that it names, not to the ride as a whole.
bool IsOfALeg(RideCommand command) {
  return std::any_of(kTransitions.begin(), kTransitions.end(), [command](const Transition& transition) {
    return transition.command == command && transition.leg != LegRule::kAny;
  });
}

// Whether the command was taken already, on the present leg: the ride is in the command's final state, or has the time
// that it sets.
bool AlreadyTaken(const Ride& ride, RideCommand command) {
  return std::any_of(kTransitions.begin(), kTransitions.end(), [&](const Transition& transition) {
    if (transition.command != command || !IsOn(ride, transition.leg)) return false;
    if (IsFinal(transition.to)) return ride.state() == transition.to;
    return transition.time && transition.time->IsSet(ride.message());
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

std::optional<Cancellation> Ride::cancellation() const {
  if (!message().has_cancellation()) return std::nullopt;
  const hail::type::v1::Cancellation& cancellation = message().cancellation();
  return Cancellation{static_cast<CancelActor>(cancellation.actor()), static_cast<CancelReason>(cancellation.reason()),
                      cancellation.note()};
}

void Ride::set_cancellation(const Cancellation& cancellation) {
  hail::type::v1::Cancellation* const out = Edit()->mutable_cancellation();
  out->set_actor(static_cast<hail::type::v1::CancelActor>(cancellation.actor));
  out->set_reason(static_cast<hail::type::v1::CancelReason>(cancellation.reason));
  out->set_note(cancellation.note);
}

CancellationTerms Ride::cancellation_terms() const {
  return {DecodeMoney(internals().cancellation_fee()), DecodeDuration(internals().free_cancellation())};
}

void Ride::set_cancellation_terms(const CancellationTerms& terms) {
  Encode(terms.fee, EditInternals()->mutable_cancellation_fee());
  Encode(terms.free_for, EditInternals()->mutable_free_cancellation());
}

bool operator==(const Ride& a, const Ride& b) {
  return a.viewer() == b.viewer() && Same(a.message(), b.message()) && Same(a.internals(), b.internals());
}

bool operator==(const RideEvent& a, const RideEvent& b) {
  return Same(a.message, b.message) && a.ride == b.ride && a.driver_id == b.driver_id &&
         a.driver_sequence == b.driver_sequence && a.former == b.former;
}

RideChange NewRide(Ride ride, const RideRules& rules, absl::Time now) {
  Ride before;
  Encode(now, before.Edit()->mutable_update_time());
  ride.Edit()->set_epoch(1);
  ride.Edit()->set_leg(0);
  Encode(now, ride.Edit()->mutable_create_time());
  Encode(now + rules.match_deadline, ride.Edit()->mutable_match_deadline());
  return Move(before, FindTransition(before.state(), RideCommand::kRequest), std::move(ride),
              CancelReason::kUnspecified, now);
}

absl::StatusOr<RideChange> Assign(const Ride& ride, const AcceptedOffer& assignment, const RideRules& rules,
                                  absl::Time now) {
  const std::string& driver_id = assignment.driver.driver_id();
  if (ride.driver() != nullptr && ride.driver()->driver_id() == driver_id && ride.offer_id() == assignment.offer_id) {
    return Unchanged(ride);
  }
  const std::map<std::string, std::string> state = {{"state", StateName(ride.state())}};
  if (IsFinal(ride.state())) {
    return FailedPrecondition(Reason::kRideNotMatching, "the ride has ended: " + StateName(ride.state()), state);
  }
  if (assignment.epoch != ride.epoch()) {
    std::map<std::string, std::string> metadata = Epochs(ride, assignment.epoch);
    metadata.insert(state.begin(), state.end());
    return FailedPrecondition(Reason::kStaleEpoch,
                              "the ride is dispatched at another epoch: " + Named(assignment.epoch, ride), metadata);
  }
  const Transition* transition = FindTransition(ride.state(), RideCommand::kAssign);
  if (transition == nullptr) {
    return FailedPrecondition(Reason::kRideNotMatching, "the ride has a driver", state);
  }
  if (IsExcluded(ride, driver_id)) {
    return FailedPrecondition(Reason::kDriverExcluded, "the driver gave this ride up before");
  }
  Ride after = ride;
  Ride::Message& next = *after.Edit();
  next.set_leg(0);
  *next.mutable_driver() = assignment.driver;
  next.set_offer_id(assignment.offer_id);
  next.clear_pickup_eta();
  if (assignment.pickup_eta) Encode(*assignment.pickup_eta, next.mutable_pickup_eta());
  Encode(TimeOf(ride, now) + rules.seen_within, next.mutable_seen_deadline());
  next.clear_match_deadline();
  return Move(ride, transition, std::move(after), CancelReason::kUnspecified, now);
}

absl::StatusOr<RideChange> TakeStep(const Ride& ride, const DriverCommand& command, const RideRules& rules,
                                    absl::Time now) {
  if (ride.driver() == nullptr || ride.driver()->driver_id() != command.driver_id) {
    if (IsExcluded(ride, command.driver_id)) return AssignmentEnded();
    return NotFound(Reason::kRideNotFound, "no such ride of this driver");
  }
  if (command.epoch < ride.epoch()) {
    return FailedPrecondition(Reason::kAssignmentEnded,
                              "the assignment of that epoch is over: " + Named(command.epoch, ride),
                              Epochs(ride, command.epoch));
  }
  if (command.epoch > ride.epoch()) {
    return FailedPrecondition(Reason::kIllegalTransition,
                              "the ride has no assignment of that epoch yet: " + Named(command.epoch, ride),
                              Epochs(ride, command.epoch));
  }

  const RideCommand asked = std::visit([](const auto& action) { return action.kCommand; }, command.action);
  const bool of_a_leg = IsOfALeg(asked);
  const bool past_leg = of_a_leg && command.leg < ride.leg();
  const bool this_leg = !of_a_leg || command.leg == ride.leg();
  if (past_leg || (this_leg && AlreadyTaken(ride, asked))) return Unchanged(ride);
  if (IsFinal(ride.state())) {
    if (ride.state() == RideState::kCanceled) return AssignmentEnded();
    return RideEnded(ride);
  }
  const Transition* transition = FindTransition(ride.state(), asked);
  if (!this_leg || transition == nullptr || !IsOn(ride, transition->leg)) return IllegalStep(ride);

  if (const auto* cancel = std::get_if<trip::Cancel>(&command.action)) {
    if (transition->to == RideState::kMatching) return Redispatch(ride, transition, cancel->reason, rules, now);
    return Cancel(ride, transition, {CancelActor::kDriver, cancel->reason, cancel->note}, now);
  }
  Ride after = ride;
  if (const auto* wait = std::get_if<trip::Wait>(&command.action)) {
    if (ride.message().has_wait() && ride.message().wait().reason() == wait->reason) return Unchanged(ride);
    after.Edit()->mutable_wait()->set_reason(wait->reason);
    Encode(TimeOf(ride, now), after.Edit()->mutable_wait()->mutable_since());
  }
  // A driver who advances the ride has seen the assignment.
  if (!ride.seen_time()) Encode(TimeOf(ride, now), after.Edit()->mutable_seen_time());
  after.Edit()->clear_seen_deadline();
  return Move(ride, transition, std::move(after), CancelReason::kUnspecified, now);
}

absl::StatusOr<RideChange> CancelByRider(const Ride& ride, CancelReason reason, const std::string& note,
                                         absl::Time now) {
  if (AlreadyTaken(ride, RideCommand::kRiderCancel)) return Unchanged(ride);
  const Transition* transition = FindTransition(ride.state(), RideCommand::kRiderCancel);
  if (transition == nullptr) return RideEnded(ride);
  Ride after = ride;
  if (const std::optional<Money> fee = CancellationFee(ride, now)) {
    Encode(*fee, after.Edit()->mutable_fare()->mutable_cancellation_fee());
  }
  after.set_cancellation({CancelActor::kRider, reason, note});
  return Move(ride, transition, std::move(after), reason, now);
}

absl::Time SeenDeadline(const Ride& ride, const RideRules& rules) {
  if (const std::optional<absl::Time> deadline = ride.seen_deadline()) return *deadline;
  HAIL_CHECK(ride.message().has_assign_time());
  return *ride.assign_time() + rules.seen_within;
}

RideChange ExpireUnacknowledged(const Ride& ride, std::int64_t epoch, const RideRules& rules, absl::Time now) {
  const Transition* transition = FindTransition(ride.state(), RideCommand::kExpireUnacknowledged);
  if (transition == nullptr || ride.epoch() != epoch || ride.seen_time() || now < SeenDeadline(ride, rules)) {
    return Unchanged(ride);
  }
  return Redispatch(ride, transition, CancelReason::kDriverUnreachable, rules, now);
}

RideChange EndUnfulfilled(const Ride& ride, std::int64_t epoch, absl::Time now) {
  const Transition* transition = FindTransition(ride.state(), RideCommand::kEndUnfulfilled);
  if (transition == nullptr || ride.epoch() != epoch || now < *ride.match_deadline()) return Unchanged(ride);
  return Move(ride, transition, ride, CancelReason::kUnspecified, now);
}

RideChange RaiseEpoch(const Ride& ride, std::int64_t epoch) {
  if (ride.state() != RideState::kMatching || ride.epoch() != epoch) return Unchanged(ride);
  RideChange change{.ride = ride, .event = std::nullopt, .changed = true};
  change.ride.Edit()->set_epoch(epoch + 1);
  return change;
}

absl::StatusOr<RideChange> Resolve(const Ride& ride, Resolution resolution, const std::string& note, absl::Time now) {
  const bool completes = resolution == Resolution::kComplete;
  const RideCommand command = completes ? RideCommand::kOperatorComplete : RideCommand::kOperatorCancel;
  if (AlreadyTaken(ride, command)) return Unchanged(ride);
  if (IsFinal(ride.state())) return RideEnded(ride);
  const Transition* transition = FindTransition(ride.state(), command);
  if (transition == nullptr) return IllegalStep(ride);
  if (completes) return Move(ride, transition, ride, CancelReason::kUnspecified, now);
  return Cancel(ride, transition, {CancelActor::kSystem, CancelReason::kOperator, note}, now);
}

}  // namespace hail::rider
