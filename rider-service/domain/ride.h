// A ride and the rules of its life, together with ride.cc and the table of transitions (transitions.h).
//
// All functions are pure: they take a ride and a command, and return the ride after it with its event, or a refusal.
// None reads a clock; `now` is always domain time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "common/proto/time.h"
#include "google/protobuf/repeated_field.h"
#include "hail/type/v1/geo.pb.h"
#include "hail/type/v1/money.pb.h"
#include "hail/type/v1/ride.pb.h"
#include "rider-service/domain/record.pb.h"
#include "rider-service/domain/shared_message.h"

namespace hail::rider {

// The numbers of the enumerations are those of the contract (hail/type/v1/ride.proto); they are stored.

enum class RideState {
  kUnspecified = 0,
  kMatching = 2,
  kEnrouteToPickup = 3,
  kArrivedAtPickup = 4,
  kEnrouteToDropoff = 5,
  kCompleted = 7,
  kNoDriversAvailable = 8,
  kCanceled = 9,
};

// Each state with its name in the contract, without the prefix.
struct StateRow {
  RideState state;
  std::string_view name;
};
inline constexpr StateRow kStates[] = {
    {RideState::kMatching, "MATCHING"},
    {RideState::kEnrouteToPickup, "ENROUTE_TO_PICKUP"},
    {RideState::kArrivedAtPickup, "ARRIVED_AT_PICKUP"},
    {RideState::kEnrouteToDropoff, "ENROUTE_TO_DROPOFF"},
    {RideState::kCompleted, "COMPLETED"},
    {RideState::kNoDriversAvailable, "NO_DRIVERS_AVAILABLE"},
    {RideState::kCanceled, "CANCELED"},
};

// False for a state of a later version.
constexpr bool IsKnown(RideState state) {
  for (const StateRow& row : kStates) {
    if (row.state == state) return true;
  }
  return false;
}

// States with consecutive numbers.
struct StateRange {
  // Implicit: a single state is a range.
  constexpr StateRange(RideState only) : StateRange(static_cast<int>(only), static_cast<int>(only)) {}
  constexpr StateRange(int first, int last) : first(first), last(last) {}

  // An unknown state is in no set, so the rules do not touch it, even if a store's index includes it.
  constexpr bool Has(RideState state) const {
    const int number = static_cast<int>(state);
    return first <= number && number <= last && (first == last || IsKnown(state));
  }

  int first;
  int last;
};

// The sets of states that rules, indexes and metrics use. Each is one range of numbers, so that a store's index also
// covers a state that a later version adds in a gap (6 is reserved for stops on the way).
inline constexpr StateRange kLive = {2, 6};
inline constexpr StateRange kWithDriver = {3, 6};
inline constexpr StateRange kFinal = {7, 9};

enum class CancelActor { kUnspecified = 0, kRider = 1, kDriver = 2, kSystem = 3 };

enum class CancelReason {
  kUnspecified = 0,
  kChangedPlans = 1,
  kWaitTooLong = 2,
  kAskedToCancel = 3,
  kWrongPlace = 4,
  kVehicleProblem = 5,
  kRiderNotFound = 6,
  kSafety = 7,
  kOther = 8,
  kDriverUnreachable = 9,
  kRedispatchLimit = 10,
  kOperator = 11,
};

enum class RideEventType {
  kUnspecified = 0,
  kRequested = 1,
  kAssigned = 2,
  kAssignmentSeen = 3,
  kArrivedAtPickup = 4,
  kStarted = 5,
  kCompleted = 6,
  kRedispatched = 7,
  kCanceled = 8,
  kUnfulfilled = 9,
  kWaiting = 10,
};

// Each type of event with its name in the contract, without the prefix.
struct EventRow {
  RideEventType type;
  std::string_view name;
};
inline constexpr EventRow kEvents[] = {
    {RideEventType::kRequested, "REQUESTED"},
    {RideEventType::kAssigned, "ASSIGNED"},
    {RideEventType::kAssignmentSeen, "ASSIGNMENT_SEEN"},
    {RideEventType::kArrivedAtPickup, "ARRIVED_AT_PICKUP"},
    {RideEventType::kStarted, "STARTED"},
    {RideEventType::kCompleted, "COMPLETED"},
    {RideEventType::kRedispatched, "REDISPATCHED"},
    {RideEventType::kCanceled, "CANCELED"},
    {RideEventType::kUnfulfilled, "UNFULFILLED"},
    {RideEventType::kWaiting, "WAITING"},
};

enum class Resolution { kUnspecified = 0, kComplete = 1, kCancel = 2 };

// COMPLETED, NO_DRIVERS_AVAILABLE, CANCELED: no transition follows.
constexpr bool IsFinal(RideState state) { return kFinal.Has(state); }
// Whether the ride has a driver and is not over.
constexpr bool HasLiveDriver(RideState state) { return kWithDriver.Has(state); }
// For messages, metadata and metrics: the name in the table, otherwise "UNSPECIFIED".
std::string StateName(RideState state);
std::string EventName(RideEventType type);
// Whether only the system may give the reason.
bool IsSystemReason(CancelReason reason);

// The contract's messages, unchanged: fields of a later version stay in them.
using Place = hail::type::v1::Place;
using DriverSummary = hail::type::v1::DriverSummary;

// Millionths of the currency's unit.
struct Money {
  std::string currency_code;
  std::int64_t micros = 0;

  friend bool operator==(const Money&, const Money&) = default;
};

inline Money DecodeMoney(const hail::type::v1::Money& money) { return {money.currency_code(), money.micros()}; }
inline void Encode(const Money& money, hail::type::v1::Money* out) {
  out->set_currency_code(money.currency_code);
  out->set_micros(money.micros);
}

inline LatLng DecodeLatLng(const hail::type::v1::LatLng& point) {
  return {point.latitude_deg(), point.longitude_deg()};
}
inline void Encode(const LatLng& point, hail::type::v1::LatLng* out) {
  out->set_latitude_deg(point.latitude_deg);
  out->set_longitude_deg(point.longitude_deg);
}
using hail::Encode;

struct Cancellation {
  CancelActor actor = CancelActor::kUnspecified;
  CancelReason reason = CancelReason::kUnspecified;
  std::string note;

  friend bool operator==(const Cancellation&, const Cancellation&) = default;
};

// The rider's cancellation terms, fixed at the request: later price changes do not affect them.
struct CancellationTerms {
  Money fee;
  // Cancellation is free for this long (domain time) after the assignment.
  absl::Duration free_for;

  friend bool operator==(const CancellationTerms&, const CancellationTerms&) = default;
};

// The viewer for whom a ride has been prepared (view.h).
enum class Viewer { kNobody, kRider, kDriver, kOperator };

// The record of a ride: the contract's Ride (documented there), and internals, which never leave rider-service. Both
// are stored unchanged, with the fields that a later version added. This class has typed accessors for fields that
// rules read; other fields need none. Copies are cheap: they share both messages until one is edited.
class Ride {
 public:
  using Message = hail::type::v1::Ride;
  using Internals = record::v1::RideInternals;

  Ride() = default;
  explicit Ride(Message message) { *Edit() = std::move(message); }

  const Message& message() const { return *message_; }
  Message* Edit() { return message_.Edit(); }
  // The encoded `message`: the same bytes for the row, the event and the bus.
  const std::string& bytes() const { return message_.bytes(); }
  const Internals& internals() const { return *internals_; }
  Internals* EditInternals() { return internals_.Edit(); }

  const std::string& ride_id() const { return message().ride_id(); }
  const std::string& rider_id() const { return message().rider_id(); }
  const std::string& request_id() const { return message().request_id(); }
  const std::string& quote_id() const { return message().quote_id(); }
  const std::string& offer_id() const { return message().offer_id(); }
  RideState state() const { return static_cast<RideState>(message().state()); }
  void set_state(RideState state) { Edit()->set_state(static_cast<hail::type::v1::RideState>(state)); }
  std::int64_t sequence() const { return message().sequence(); }
  std::int64_t epoch() const { return message().epoch(); }
  int leg() const { return message().leg(); }
  int redispatch_count() const { return message().redispatch_count(); }
  bool assignment_ended() const { return message().assignment_ended(); }
  // Null: no driver is assigned.
  const DriverSummary* driver() const { return message().has_driver() ? &message().driver() : nullptr; }

  absl::Time create_time() const { return DecodeTime(message().create_time()); }
  absl::Time update_time() const { return DecodeTime(message().update_time()); }
  std::optional<absl::Time> match_deadline() const {
    return TimeIf(message().has_match_deadline(), message().match_deadline());
  }
  std::optional<absl::Time> assign_time() const { return TimeIf(message().has_assign_time(), message().assign_time()); }
  std::optional<absl::Time> seen_time() const { return TimeIf(message().has_seen_time(), message().seen_time()); }
  std::optional<absl::Time> seen_deadline() const {
    return TimeIf(message().has_seen_deadline(), message().seen_deadline());
  }
  std::optional<absl::Time> arrive_time() const { return TimeIf(message().has_arrive_time(), message().arrive_time()); }

  Money quoted_fare() const { return DecodeMoney(message().fare().quoted()); }
  std::optional<Cancellation> cancellation() const;
  void set_cancellation(const Cancellation& cancellation);

  // Distinguishes a repeated request from a different one under the same request_id. See RequestFingerprint.
  const std::string& request_fingerprint() const { return internals().request_fingerprint(); }
  // Drivers who gave this ride up or never acknowledged it; they are not asked again, and cannot be assigned.
  const google::protobuf::RepeatedPtrField<std::string>& excluded_driver_ids() const {
    return internals().excluded_driver_ids();
  }
  CancellationTerms cancellation_terms() const;
  void set_cancellation_terms(const CancellationTerms& terms);

  // An answer shows only the fields for this viewer; none for kNobody. Not stored.
  Viewer viewer() const { return viewer_; }
  // Prepares the ride for that viewer, and removes the internals.
  void ShowTo(Viewer viewer) {
    viewer_ = viewer;
    internals_.Clear();
  }

  friend bool operator==(const Ride& a, const Ride& b);

 private:
  static std::optional<absl::Time> TimeIf(bool present, const google::protobuf::Timestamp& time) {
    if (!present) return std::nullopt;
    return DecodeTime(time);
  }

  SharedMessage<Message> message_;
  SharedMessage<Internals> internals_;
  Viewer viewer_ = Viewer::kNobody;
};

// Ride::leg of the leg to the drop-off: the waypoints of a ride are the pickup (number 0) and the drop-off.
inline constexpr int kLastLeg = 1;

// One entry of a ride's log.
struct RideEvent {
  // The contract's RideEvent, without `ride`.
  hail::type::v1::RideEvent message;
  // The ride after it.
  Ride ride;

  // --- Internal ---
  // The driver assigned during or right after it (also one who gave the ride up); empty: none.
  std::string driver_id;
  // The number of this event among those of `driver_id`, over all rides: 1, 2, 3 … without a gap. The store sets it in
  // the transaction that stores the event; 0 while driver_id is empty.
  std::int64_t driver_sequence = 0;
  // For REDISPATCHED: the ride as the driver last had it (assignment_ended), which is all that the driver may know.
  std::optional<Ride> former;

  const std::string& ride_id() const { return message.ride_id(); }
  std::int64_t sequence() const { return message.sequence(); }
  RideEventType type() const { return static_cast<RideEventType>(message.type()); }
  absl::Time event_time() const { return DecodeTime(message.event_time()); }
  CancelReason reason() const { return static_cast<CancelReason>(message.reason()); }
  void set_reason(CancelReason reason) { message.set_reason(static_cast<hail::type::v1::CancelReason>(reason)); }
  // Whether the event ends the driver's assignment.
  bool ended() const { return message.ended(); }

  friend bool operator==(const RideEvent& a, const RideEvent& b);
};

// The result of a decision.
struct RideChange {
  // The ride after it.
  Ride ride;
  // The event for the log. Unset with `changed`: only the epoch rose.
  std::optional<RideEvent> event;
  // False: the ride already was as requested; nothing is stored or published.
  bool changed = true;
};

// The parameters of the rules. All lengths are domain time.
struct RideRules {
  absl::Duration match_deadline = absl::Seconds(120);
  absl::Duration offer_time = absl::Seconds(15);
  // Added to deadline and offer time before rider-service itself ends an unmatched ride.
  absl::Duration unfulfilled_grace = absl::Seconds(5);
  absl::Duration seen_within = absl::Seconds(60);
  int max_redispatches = 5;
};

// The first event of a ride. `ride` contains the request's values, ids, fare and terms; this sets state, sequence,
// epoch, times and deadline.
RideChange NewRide(Ride ride, const RideRules& rules, absl::Time now);

// An accepted offer, before its commit.
struct AcceptedOffer {
  std::int64_t epoch = 0;
  DriverSummary driver;
  std::string offer_id;
  std::optional<absl::Duration> pickup_eta;
};

// Assigns the driver. A repetition of the committed offer returns the present ride unchanged, whatever has happened to
// it. RIDE_NOT_MATCHING, STALE_EPOCH (both FAILED_PRECONDITION, metadata "state": StateName; STALE_EPOCH also "epoch"
// as sent and "ride_epoch"), DRIVER_EXCLUDED.
absl::StatusOr<RideChange> Assign(const Ride& ride, const AcceptedOffer& assignment, const RideRules& rules,
                                  absl::Time now);

// The commands on a ride. transitions.h defines their states and effects.
enum class RideCommand {
  kNone,
  kRequest,
  kAssign,
  // Commands of the driver.
  kSeen,
  kArrive,
  kStart,
  kComplete,
  kWait,
  kDriverCancel,
  // Commands of the rider.
  kRiderCancel,
  // Commands of the operator.
  kOperatorComplete,
  kOperatorCancel,
  // Commands of rider-service itself.
  kExpireUnacknowledged,
  kGiveUpDispatching,
  kEndUnfulfilled,
};

// The driver's commands on a trip, each with its payload (AdvanceTripRequest.action of the contract).
namespace trip {
struct None {
  static constexpr RideCommand kCommand = RideCommand::kNone;
};
struct Seen {
  static constexpr RideCommand kCommand = RideCommand::kSeen;
};
struct Arrive {
  static constexpr RideCommand kCommand = RideCommand::kArrive;
};
struct Start {
  static constexpr RideCommand kCommand = RideCommand::kStart;
};
struct Complete {
  static constexpr RideCommand kCommand = RideCommand::kComplete;
};
struct Wait {
  static constexpr RideCommand kCommand = RideCommand::kWait;
  hail::type::v1::WaitReason reason = hail::type::v1::WAIT_REASON_UNSPECIFIED;
};
struct Cancel {
  static constexpr RideCommand kCommand = RideCommand::kDriverCancel;
  CancelReason reason = CancelReason::kUnspecified;
  std::string note;
};
}  // namespace trip
using TripAction =
    std::variant<trip::None, trip::Seen, trip::Arrive, trip::Start, trip::Complete, trip::Wait, trip::Cancel>;

// A driver's command on a ride.
struct DriverCommand {
  std::string driver_id;
  std::int64_t epoch = 0;
  int leg = 0;
  TripAction action;
};

// One step of the assigned driver. A past step returns the present ride unchanged; the next step is applied; a later
// one is ILLEGAL_TRANSITION. ASSIGNMENT_ENDED if the driver's assignment is over; RIDE_NOT_FOUND if the ride was never
// this driver's. A wrong epoch comes with the ride's (metadata "epoch", "ride_epoch"): ASSIGNMENT_ENDED below it,
// ILLEGAL_TRANSITION above it. A cancel before arrival sends the ride back to MATCHING at epoch + 1 with the driver
// excluded and a new deadline (or, past the limit, cancels it: system, REDISPATCH_LIMIT); after arrival it cancels the
// ride. RIDE_ENDED if completed. Seen is stored once; an arrival counts as seen too. A wait leaves the state;
// a second one with the same reason in the same state counts as taken.
absl::StatusOr<RideChange> TakeStep(const Ride& ride, const DriverCommand& command, const RideRules& rules,
                                    absl::Time now);

// Cancels for the rider, with the fee by the terms. RIDE_ENDED if the ride ended in another way.
absl::StatusOr<RideChange> CancelByRider(const Ride& ride, CancelReason reason, const std::string& note,
                                         absl::Time now);

// The time at which an unacknowledged assignment ends. It is fixed at the assignment: a restart or take-over does not
// extend it. For a ride that an earlier version assigned, it is computed.
absl::Time SeenDeadline(const Ride& ride, const RideRules& rules);

// Back to MATCHING if the assignment of `epoch` is still unseen at its SeenDeadline; otherwise unchanged.
RideChange ExpireUnacknowledged(const Ride& ride, std::int64_t epoch, const RideRules& rules, absl::Time now);

// NO_DRIVERS_AVAILABLE if still MATCHING at `epoch` and past its match deadline; otherwise unchanged.
RideChange EndUnfulfilled(const Ride& ride, std::int64_t epoch, absl::Time now);

// epoch + 1 if still MATCHING at `epoch`; otherwise unchanged. Not an event.
RideChange RaiseEpoch(const Ride& ride, std::int64_t epoch);

// For an operator: completes a ride with the rider on board (otherwise ILLEGAL_TRANSITION), or cancels any live ride. A
// repetition returns the ride unchanged; RIDE_ENDED if the ride ended in another way.
absl::StatusOr<RideChange> Resolve(const Ride& ride, Resolution resolution, const std::string& note, absl::Time now);

}  // namespace hail::rider
