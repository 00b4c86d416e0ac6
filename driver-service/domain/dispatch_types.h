// Input and output types of the dispatch core.
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

// "domain" and "wall" name the clock of each length.
struct DispatchOptions {
  absl::Duration position_freshness = absl::Seconds(30);  // domain
  // The search radius: `radius_start_m`, multiplied by `radius_factor` each `radius_step`, up to `radius_max_m`.
  double radius_start_m = 1500;
  double radius_factor = 2;
  absl::Duration radius_step = absl::Seconds(2);  // domain
  double radius_max_m = 12000;
  // Domain. Rides without a driver search again together, at the next multiple of this. A driver who becomes free then
  // goes to the nearest ride, not to the first that searches (docs/decisions/0020-match-window.md).
  absl::Duration rematch_interval = absl::Seconds(1);
  // The maximum number of rides matched at once, those due longest first; the others wait for the next tick. Limits how
  // long the loop is busy when thousands wait.
  std::size_t most_matched_at_once = 500;
  // A driver whose app did not show an offer gets no offer of that ride for this time.
  absl::Duration unreceived_pause = absl::Seconds(30);  // domain
  // How long settled offers and ended dispatches are kept.
  absl::Duration memory = absl::Minutes(10);  // domain

  absl::Duration receive_time = absl::Seconds(3);           // wall
  absl::Duration working_set_interval = absl::Seconds(10);  // wall
  // Back-off of confirmations with an unknown outcome: doubled from the first to the last, each reduced randomly by up
  // to half.
  absl::Duration confirm_retry_first = absl::Milliseconds(100);  // wall
  absl::Duration confirm_retry_last = absl::Seconds(2);          // wall
  // A feed subscription without an answer is repeated after this.
  absl::Duration feed_answer_time = absl::Seconds(10);  // wall
  // A driver without a stream counts as connected for this time after a unary call.
  absl::Duration contact_time = absl::Seconds(35);  // wall
  // A session without stream, offer or ride is dropped this long after the last contact.
  absl::Duration session_idle = absl::Minutes(10);  // wall
  // A driver whose position is missing is checked again after the first time, then after twice as long each time, up to
  // the last. Usually Positioned comes sooner.
  absl::Duration stale_look_first = absl::Seconds(1);  // wall
  absl::Duration stale_look_last = absl::Seconds(30);  // wall

  // The incarnation of this process, as its claims name it.
  std::string replica;
  // The time for an owner's answer to an offer request; after it, the ride looks for another driver.
  absl::Duration ask_answer_time = absl::Milliseconds(500);  // wall
  // A requested offer is requested again at this interval, and dropped after the given number of requests without an
  // answer.
  absl::Duration ask_interval = absl::Seconds(2);  // wall
  int asks_unanswered = 3;
  // The owner withdraws a pending requested offer after this time without a request.
  absl::Duration asker_silence = absl::Seconds(6);  // wall
  // A driver whose owner made no offer is not requested again for that ride for this time.
  absl::Duration refused_pause = absl::Seconds(5);  // domain
};

// Chosen by the caller, unique in this process, never 0.
using StreamId = std::int64_t;
using LinkId = std::int64_t;

enum class DriverStatus { kOffline, kAvailable, kOffered, kReserved, kOnTrip };
// In order of precedence: the first that applies.
enum class BlockedBy { kNothing, kNotConnected, kNotSynced, kStalePosition };

// The driver's state for the app.
struct DriverState {
  std::string driver_id;
  DriverStatus status = DriverStatus::kOffline;
  Availability availability = Availability::kOffline;
  BlockedBy blocked_by = BlockedBy::kNothing;
  // The live one.
  std::optional<OfferView> offer;
  // The driver's live ride, as far as known; null. With BlockedBy::kNotSynced, null does not mean that there is none.
  RideRef ride;
  // 0: no session.
  std::int64_t session_epoch = 0;
  // Rises with each change of the members above within a session.
  std::int64_t revision = 0;
};

// ---- To a driver's stream. The session code sends heartbeats, command results and `draining`.

// The present state; replaces all earlier state.
struct Snapshot {
  DriverState state;
};
// The state has changed since the stream last got it: by a snapshot, by this message, or by an answer to a command.
struct StateChanged {
  DriverState state;
};
// All events up to now have been sent.
struct CaughtUp {
  std::int64_t sequence = 0;
};
// The client's cursor was invalid; a snapshot follows.
struct Reset {};
// A newer stream took over. The last message; the stream then ends with OK. The core has dropped the stream.
struct Replaced {};
// A unary call took the session to another replica. Not sent; the stream ends with UNAVAILABLE, and the app opens a new
// one. The core has dropped the stream.
struct Moved {};

using DriverMessage =
    std::variant<Snapshot, RideEventView, OfferView, OfferUpdate, CaughtUp, Reset, Replaced, Moved, StateChanged>;

// ---- To a dispatch link. The stream code sends heartbeats.

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
  // The data that the rider sees: id, display name, vehicle.
  Driver driver;
  absl::Duration pickup_eta = absl::ZeroDuration();
};

// FindAssignment. Answer it with Dispatch::OnFound, naming `find`.
struct FindCall {
  std::int64_t find = 0;
  std::string driver_id;
  std::string offer_id;
};

// The outcome of an answer to an offer.
struct RespondResult {
  // OK: `offer` is kAccepted or kDeclined. OFFER_EXPIRED, OFFER_REVOKED, OFFER_DECLINED, OFFER_NOT_FOUND;
  // PEER_UNAVAILABLE if the offer is unknown here and rider-service could not be reached.
  absl::Status status;
  OfferUpdate offer;
  // The driver's state after it.
  DriverState state;
};
using RespondDone = std::function<void(RespondResult)>;

// Counts for metrics.
struct DispatchCounts {
  // By DriverStatus; sessions only.
  std::array<int, 5> drivers{};
  int streams = 0;
  int rides = 0;
  int offers_pending = 0;
  int offers_confirming = 0;
};

// An unfinished count, some sessions at a time.
struct DispatchTally {
  DispatchCounts counts;
  // The last counted driver.
  std::string after;
};

}  // namespace hail::driver
