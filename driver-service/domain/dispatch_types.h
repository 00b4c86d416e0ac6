// What goes in and out of the dispatch core beside plain arguments.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "driver-service/domain/driver.h"
#include "driver-service/domain/offer.h"
#include "driver-service/domain/ride_view.h"
#include "driver-service/domain/session.h"

namespace hail::driver {

// "domain" and "wall" say which time a length is of.
struct DispatchOptions {
  absl::Duration position_freshness = absl::Seconds(30);  // domain
  // The radius to look in: `radius_start_m`, times `radius_factor` each `radius_step`, up to `radius_max_m`.
  double radius_start_m = 1500;
  double radius_factor = 2;
  absl::Duration radius_step = absl::Seconds(2);  // domain
  double radius_max_m = 12000;
  // Domain. Rides that found nobody look again at its next multiple, so together: a driver who gets free goes to the
  // nearest of them, not to whoever happens to look next (docs/decisions/0020-match-window.md).
  absl::Duration rematch_interval = absl::Seconds(1);
  // As many rides are matched at one go, those due longest first; the rest at the next tick. Bounds how long the loop
  // is busy with it where thousands wait.
  std::size_t most_matched_at_once = 500;
  // A driver whose app did not show an offer is not asked again for that ride so long.
  absl::Duration unreceived_pause = absl::Seconds(30);  // domain
  // How long settled offers and ended dispatches are remembered.
  absl::Duration memory = absl::Minutes(10);  // domain

  absl::Duration receive_time = absl::Seconds(3);           // wall
  absl::Duration working_set_interval = absl::Seconds(10);  // wall
  // Back-off of confirmations with an unknown outcome: doubled from the first to the last, each less up to half at
  // random.
  absl::Duration confirm_retry_first = absl::Milliseconds(100);  // wall
  absl::Duration confirm_retry_last = absl::Seconds(2);          // wall
  // A feed subscription that was not answered so long is sent again.
  absl::Duration feed_answer_time = absl::Seconds(10);  // wall
  // A driver without a stream counts as connected so long after a unary call.
  absl::Duration contact_time = absl::Seconds(35);  // wall
  // A session without stream, offer or ride is forgotten so long after the last contact.
  absl::Duration session_idle = absl::Minutes(10);  // wall
  // A driver whose position is missing is looked at again after the first, then each time after twice as long, up to
  // the last: Positioned comes sooner.
  absl::Duration stale_look_first = absl::Seconds(1);  // wall
  absl::Duration stale_look_last = absl::Seconds(30);  // wall

  // This process among the replicas of driver-service: its incarnation, as its claims name it.
  std::string replica;
  // What the owner of a driver's session has time for, asked for an offer; then the next driver is looked for.
  absl::Duration ask_answer_time = absl::Milliseconds(500);  // wall
  // An offer that was asked for is asked for again so often, and given up after so many times without an answer.
  absl::Duration ask_interval = absl::Seconds(2);  // wall
  int asks_unanswered = 3;
  // An owner withdraws a pending offer that was not asked for again so long.
  absl::Duration asker_silence = absl::Seconds(6);  // wall
  // A driver whose owner made no offer is not asked for again for that ride so long.
  absl::Duration refused_pause = absl::Seconds(5);  // domain
};

// Chosen by the shell, unique in this process, never 0.
using StreamId = std::int64_t;
using LinkId = std::int64_t;

enum class DriverStatus { kOffline, kAvailable, kOffered, kReserved, kOnTrip };
// In the order they are told: the first that holds.
enum class BlockedBy { kNothing, kNotConnected, kNotSynced, kStalePosition };

// All that a driver's app must know.
struct DriverState {
  std::string driver_id;
  DriverStatus status = DriverStatus::kOffline;
  Availability availability = Availability::kOffline;
  BlockedBy blocked_by = BlockedBy::kNothing;
  // The live one.
  std::optional<OfferView> offer;
  // In hand, as far as known; null while BlockedBy::kNotSynced says nothing about there being none.
  RideRef ride;
  // 0: no session.
  std::int64_t session_epoch = 0;
  // Rises with each change of any of the above within a session.
  std::int64_t revision = 0;
};

// ---- To a driver's stream. Heartbeats, command results and `draining` are the shell's.

// The present; replaces all that was known.
struct Snapshot {
  DriverState state;
};
// The present changed since the stream was last told: by snapshot, by this, or by an answer to one of its commands.
struct StateChanged {
  DriverState state;
};
// Everything up to now was sent.
struct CaughtUp {
  std::int64_t sequence = 0;
};
// The cursor shown made no sense; a snapshot follows.
struct Reset {};
// A newer stream took over: the last message; the shell ends the stream with OK. The core has forgotten it.
struct Replaced {};
// A unary call took the session to another replica: the last message, not sent; the shell ends the stream with
// UNAVAILABLE, and the app opens another one. The core has forgotten it.
struct Moved {};

using DriverMessage =
    std::variant<Snapshot, RideEventView, OfferView, OfferUpdate, CaughtUp, Reset, Replaced, Moved, StateChanged>;

// ---- To a dispatch link. Heartbeats are the shell's.

struct RideEpoch {
  std::string ride_id;
  std::int64_t epoch = 0;

  friend bool operator==(const RideEpoch&, const RideEpoch&) = default;
};
struct DispatchStarted : RideEpoch {};
struct DispatchExhausted : RideEpoch {};
struct OfferSettled : RideEpoch {
  std::string driver_id;
  // kDeclined or kExpired.
  OfferStatus outcome = OfferStatus::kDeclined;
};
struct WorkingSet {
  std::vector<RideEpoch> rides;
};

using LinkMessage = std::variant<DispatchStarted, DispatchExhausted, OfferSettled, WorkingSet>;

enum class StopReason { kRideCanceled, kTaken, kSuperseded };

// ---- To rider-service.

// One attempt of ConfirmAssignment. Answer it with Dispatch::OnConfirmed, naming offer_id and attempt.
struct ConfirmCall {
  std::string offer_id;
  int attempt = 0;
  std::string ride_id;
  std::int64_t epoch = 0;
  // For the rider: id, display name, vehicle.
  Driver driver;
  absl::Duration pickup_eta = absl::ZeroDuration();
};

// FindAssignment. Answer it with Dispatch::OnFound, naming `find`.
struct FindCall {
  std::int64_t find = 0;
  std::string driver_id;
  std::string offer_id;
};

// What became of an answer to an offer.
struct RespondResult {
  // OK: `offer` is kAccepted or kDeclined. OFFER_EXPIRED, OFFER_REVOKED, OFFER_DECLINED, OFFER_NOT_FOUND;
  // PEER_UNAVAILABLE where nobody remembers the offer and rider-service could not be asked.
  absl::Status status;
  OfferUpdate offer;
  // The driver after it.
  DriverState state;
};
using RespondDone = std::function<void(RespondResult)>;

// How many of what there is, for metrics.
struct DispatchCounts {
  // By DriverStatus; sessions only.
  std::array<int, 5> drivers{};
  int streams = 0;
  int rides = 0;
  int offers_pending = 0;
  int offers_confirming = 0;
};

// A count under way, some sessions at a time.
struct DispatchTally {
  DispatchCounts counts;
  // The driver counted last.
  std::string after;
};

}  // namespace hail::driver
