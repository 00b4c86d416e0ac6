#include "rider-service/domain/ride.h"

#include <algorithm>
#include <utility>

#include "common/errors/check.h"
#include "common/errors/error.h"
#include "rider-service/domain/cancellation_fee.h"

namespace hail::rider {
namespace {

RideChange Unchanged(const Ride& ride) { return {.ride = ride, .event = std::nullopt, .changed = false}; }

// `after` with the next sequence and the event that says so. The ride's times never run backwards, whatever the clock.
RideChange Record(const Ride& before, Ride after, RideEventType type, CancelReason reason, absl::Time now) {
  HAIL_CHECK(after.state != RideState::kMatching || after.match_deadline);
  HAIL_CHECK(!HasLiveDriver(after.state) || (after.driver && after.assign_time));
  after.sequence = before.sequence + 1;
  after.update_time = std::max(now, before.update_time);
  RideEvent event;
  event.ride_id = after.ride_id;
  event.sequence = after.sequence;
  event.type = type;
  event.event_time = after.update_time;
  event.reason = reason;
  if (after.driver) {
    event.driver_id = after.driver->driver_id;
    event.ended = IsFinal(after.state);
  }
  event.ride = after;
  return {.ride = std::move(after), .event = std::move(event)};
}

RideChange End(const Ride& before, RideState state, RideEventType type, CancelReason reason, absl::Time now,
               Ride after) {
  after.state = state;
  after.match_deadline.reset();
  after.seen_deadline.reset();
  after.end_time = std::max(now, before.update_time);
  return Record(before, std::move(after), type, reason, now);
}

RideChange Cancel(const Ride& ride, Cancellation cancellation, absl::Time now) {
  Ride after = ride;
  const CancelReason reason = cancellation.reason;
  after.cancellation = std::move(cancellation);
  return End(ride, RideState::kCanceled, RideEventType::kCanceled, reason, now, std::move(after));
}

RideChange Complete(const Ride& ride, absl::Time now) {
  Ride after = ride;
  after.fare.final_fare = ride.fare.quoted;
  return End(ride, RideState::kCompleted, RideEventType::kCompleted, CancelReason::kUnspecified, now, std::move(after));
}

// The assignment is over before the pickup: somebody else is looked for, unless that happened too often.
RideChange Redispatch(const Ride& ride, CancelReason reason, const RideRules& rules, absl::Time now) {
  if (ride.redispatch_count >= rules.max_redispatches) {
    return Cancel(ride, {CancelActor::kSystem, CancelReason::kRedispatchLimit, ""}, now);
  }
  HAIL_CHECK(ride.driver);
  Ride after = ride;
  after.state = RideState::kMatching;
  after.epoch = ride.epoch + 1;
  after.excluded_driver_ids.push_back(ride.driver->driver_id);
  after.driver.reset();
  after.offer_id.clear();
  after.assign_time.reset();
  after.seen_time.reset();
  after.seen_deadline.reset();
  after.pickup_eta.reset();
  after.redispatch_count = ride.redispatch_count + 1;
  after.match_deadline = std::max(now, ride.update_time) + rules.match_deadline;
  RideChange change = Record(ride, std::move(after), RideEventType::kRedispatched, reason, now);
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

// Whether the ride is past `step` at the leg it is on.
bool AlreadyTaken(const Ride& ride, TripStep step) {
  switch (step) {
    case TripStep::kSeen:
      return ride.seen_time.has_value();
    case TripStep::kArrive:
      return ride.leg == 0 && ride.arrive_time.has_value();
    case TripStep::kStart:
      // It leads to the next leg: on the leg it starts from, it has not been taken.
      return false;
    case TripStep::kComplete:
      return ride.leg == 1 && ride.state == RideState::kCompleted;
    case TripStep::kCancel:
      return ride.state == RideState::kCanceled;
    case TripStep::kUnspecified:
      return false;
  }
  return false;
}

RideChange Seen(const Ride& ride, absl::Time now) {
  Ride after = ride;
  after.seen_time = std::max(now, ride.update_time);
  after.seen_deadline.reset();
  return Record(ride, std::move(after), RideEventType::kAssignmentSeen, CancelReason::kUnspecified, now);
}

RideChange Arrive(const Ride& ride, absl::Time now) {
  Ride after = ride;
  after.state = RideState::kArrivedAtPickup;
  after.arrive_time = std::max(now, ride.update_time);
  if (!after.seen_time) after.seen_time = after.arrive_time;
  after.seen_deadline.reset();
  return Record(ride, std::move(after), RideEventType::kArrivedAtPickup, CancelReason::kUnspecified, now);
}

RideChange Start(const Ride& ride, absl::Time now) {
  Ride after = ride;
  after.state = RideState::kEnrouteToDropoff;
  after.leg = 1;
  after.start_time = std::max(now, ride.update_time);
  return Record(ride, std::move(after), RideEventType::kStarted, CancelReason::kUnspecified, now);
}

}  // namespace

bool IsFinal(RideState state) {
  return state == RideState::kCompleted || state == RideState::kNoDriversAvailable || state == RideState::kCanceled;
}

bool HasLiveDriver(RideState state) {
  return state == RideState::kEnrouteToPickup || state == RideState::kArrivedAtPickup ||
         state == RideState::kEnrouteToDropoff;
}

std::string StateName(RideState state) {
  switch (state) {
    case RideState::kUnspecified:
      break;
    case RideState::kMatching:
      return "MATCHING";
    case RideState::kEnrouteToPickup:
      return "ENROUTE_TO_PICKUP";
    case RideState::kArrivedAtPickup:
      return "ARRIVED_AT_PICKUP";
    case RideState::kEnrouteToDropoff:
      return "ENROUTE_TO_DROPOFF";
    case RideState::kCompleted:
      return "COMPLETED";
    case RideState::kNoDriversAvailable:
      return "NO_DRIVERS_AVAILABLE";
    case RideState::kCanceled:
      return "CANCELED";
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
  ride.state = RideState::kMatching;
  ride.epoch = 1;
  ride.leg = 0;
  ride.create_time = now;
  ride.match_deadline = now + rules.match_deadline;
  return Record(before, std::move(ride), RideEventType::kRequested, CancelReason::kUnspecified, now);
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
  if (ride.state != RideState::kMatching) {
    return FailedPrecondition(Reason::kRideNotMatching, "the ride has a driver", state);
  }
  if (IsExcluded(ride, assignment.driver.driver_id)) {
    return FailedPrecondition(Reason::kDriverExcluded, "the driver gave this ride up before");
  }
  Ride after = ride;
  after.state = RideState::kEnrouteToPickup;
  after.leg = 0;
  after.driver = assignment.driver;
  after.offer_id = assignment.offer_id;
  after.pickup_eta = assignment.pickup_eta;
  after.assign_time = std::max(now, ride.update_time);
  after.seen_deadline = *after.assign_time + rules.seen_within;
  after.match_deadline.reset();
  return Record(ride, std::move(after), RideEventType::kAssigned, CancelReason::kUnspecified, now);
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

  const bool moves =
      command.step == TripStep::kArrive || command.step == TripStep::kStart || command.step == TripStep::kComplete;
  const bool past_leg = moves && command.leg < ride.leg;
  const bool this_leg = !moves || command.leg == ride.leg;
  if (past_leg || (this_leg && AlreadyTaken(ride, command.step))) return Unchanged(ride);
  if (IsFinal(ride.state)) {
    if (ride.state == RideState::kCanceled) return AssignmentEnded();
    return RideEnded(ride);
  }
  if (moves && command.leg > ride.leg) return IllegalStep(ride);

  switch (command.step) {
    case TripStep::kSeen:
      return Seen(ride, now);
    case TripStep::kArrive:
      if (ride.state != RideState::kEnrouteToPickup) break;
      return Arrive(ride, now);
    case TripStep::kStart:
      if (ride.state != RideState::kArrivedAtPickup) break;
      return Start(ride, now);
    case TripStep::kComplete:
      if (ride.state != RideState::kEnrouteToDropoff) break;
      return Complete(ride, now);
    case TripStep::kCancel:
      if (ride.state == RideState::kEnrouteToPickup) return Redispatch(ride, command.reason, rules, now);
      return Cancel(ride, {CancelActor::kDriver, command.reason, command.note}, now);
    case TripStep::kUnspecified:
      break;
  }
  return IllegalStep(ride);
}

absl::StatusOr<RideChange> CancelByRider(const Ride& ride, CancelReason reason, const std::string& note,
                                         absl::Time now) {
  if (ride.state == RideState::kCanceled) return Unchanged(ride);
  if (IsFinal(ride.state)) return RideEnded(ride);
  const std::optional<Money> fee = CancellationFee(ride, now);
  RideChange change = Cancel(ride, {CancelActor::kRider, reason, note}, now);
  HAIL_CHECK(change.event);
  change.ride.fare.cancellation_fee = fee;
  change.event->ride = change.ride;
  return change;
}

absl::Time SeenDeadline(const Ride& ride, const RideRules& rules) {
  if (ride.seen_deadline) return *ride.seen_deadline;
  HAIL_CHECK(ride.assign_time);
  return *ride.assign_time + rules.seen_within;
}

RideChange GiveUpUnseen(const Ride& ride, std::int64_t epoch, const RideRules& rules, absl::Time now) {
  if (ride.state != RideState::kEnrouteToPickup || ride.epoch != epoch || ride.seen_time ||
      now < SeenDeadline(ride, rules)) {
    return Unchanged(ride);
  }
  return Redispatch(ride, CancelReason::kDriverUnreachable, rules, now);
}

RideChange EndUnfulfilled(const Ride& ride, std::int64_t epoch, absl::Time now) {
  if (ride.state != RideState::kMatching || ride.epoch != epoch) return Unchanged(ride);
  HAIL_CHECK(ride.match_deadline);
  if (now < *ride.match_deadline) return Unchanged(ride);
  return End(ride, RideState::kNoDriversAvailable, RideEventType::kUnfulfilled, CancelReason::kUnspecified, now, ride);
}

RideChange RaiseEpoch(const Ride& ride, std::int64_t epoch) {
  if (ride.state != RideState::kMatching || ride.epoch != epoch) return Unchanged(ride);
  RideChange change{.ride = ride, .event = std::nullopt, .changed = true};
  change.ride.epoch = epoch + 1;
  return change;
}

absl::StatusOr<RideChange> Resolve(const Ride& ride, Resolution resolution, const std::string& note, absl::Time now) {
  const RideState wanted = resolution == Resolution::kComplete ? RideState::kCompleted : RideState::kCanceled;
  if (ride.state == wanted) return Unchanged(ride);
  if (IsFinal(ride.state)) return RideEnded(ride);
  if (resolution == Resolution::kCancel) {
    return Cancel(ride, {CancelActor::kSystem, CancelReason::kOperator, note}, now);
  }
  if (ride.state != RideState::kEnrouteToDropoff) return IllegalStep(ride);
  return Complete(ride, now);
}

}  // namespace hail::rider
