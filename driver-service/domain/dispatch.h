// The core of driver-service: drivers' sessions, the rides being dispatched, the offers between them, and
// confirmations.
//
// Plain C++: inputs come with Now, decisions go out through Effects. Single-threaded: all calls come from one loop. No
// call blocks or throws. No call may be made from inside Effects or a `done` (post instead).
//
// Dispatch itself has no state. It passes each input to the part that owns its subject, in an order that keeps the
// parts consistent, and matches the rides that are due (docs/decisions/0034-the-dispatch-core-in-four.md):
//
//   SessionRegistry   drivers' sessions, their streams and the feed about their rides
//   OfferBook         offers made here and their confirmation
//   MatchQueue        rides that need a driver
//   ReplicaProtocol   drivers of other replicas, offers requested from them and by them
//
// Each driver's session belongs to one replica, the owner. The owner makes all offers to the driver, its own and those
// that other replicas request, and confirms the offers that the driver accepts. A replica that dispatches a ride
// requests the offer from the owner of the driver it found (docs/decisions/0024-driver-replicas.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/effects.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/match_queue.h"
#include "driver-service/domain/matcher.h"
#include "driver-service/domain/offer_book.h"
#include "driver-service/domain/replica_message.h"
#include "driver-service/domain/replica_protocol.h"
#include "driver-service/domain/session_registry.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

class Dispatch {
 public:
  // All references must outlive the core. `index` is shared with the handlers that take positions.
  Dispatch(DispatchOptions options, LocationIndex& index, const TravelTimes& travel_times, const Matcher& matcher,
           RandomBits random, Effects& effects);
  Dispatch(const Dispatch&) = delete;
  Dispatch& operator=(const Dispatch&) = delete;

  // ---- Drivers

  // A stream was opened for a stored driver, and its session claimed at `epoch`. It replaces an open stream, which gets
  // Replaced. The new stream gets nothing before the feed has answered; then: the events missed since `cursor`, a
  // snapshot, caught_up. Returns the session's epoch, which the fixes of this stream carry. A stream is late if the
  // same run of the app opened it before the open one, or if its claim is older than the open one's. A late stream gets
  // Replaced; Moved, if meanwhile only a unary call claimed the session at another replica.
  std::int64_t OpenStream(Now now, const Driver& driver, Availability availability, std::int64_t epoch, StreamId stream,
                          std::optional<RideCursor> cursor, const Opening& opening = {});

  // The stream has ended. No effect for a stream that was replaced.
  void CloseStream(Now now, const std::string& driver_id, StreamId stream);

  // A unary call of this driver has arrived. False: no session; claim it and call OpenUnary.
  bool Contact(Now now, const std::string& driver_id);

  // A unary call of a stored driver has arrived, and the session was claimed at `epoch`. Opens the session if there is
  // none. Returns the session's epoch.
  std::int64_t OpenUnary(Now now, const Driver& driver, Availability availability, std::int64_t epoch);

  // The driver as read from or written to the store, with profile and desired availability; OpenStream and OpenUnary do
  // the same. A driver with an older version than the known one is ignored. Offline,
  // another vehicle or another region withdraws a pending offer; name and products apply from the next offer on.
  void Learn(Now now, const Driver& driver, Availability availability);

  // The claim under which the driver's session is written: the latest one known here. Epoch 0: no session.
  SessionClaim ClaimOf(const std::string& driver_id) const;

  // Sessions in the store. If another replica claimed a session later than this one did, the session here ends: its
  // stream gets Replaced (Moved, if only a unary call claimed it), and a pending offer is withdrawn; an offer in
  // confirmation stays until its outcome is certain. Claims of this replica are included because their answers may have
  // been lost.
  void OnClaims(Now now, const std::vector<SessionClaim>& claims);

  // The app shows the offer.
  void OfferReceived(Now now, const std::string& driver_id, const std::string& offer_id);

  // The driver answers an offer. `done` runs once the outcome is certain: at once, or after a confirmation, which may
  // last as long as rider-service is down. An unknown offer is looked up at rider-service. Works without a session too.
  void Respond(Now now, const std::string& driver_id, const std::string& offer_id, bool accept, RespondDone done);

  // rider-service's answer to a step of the driver's trip: the ride after it, which may be newer than the feed.
  void Advanced(Now now, const std::string& driver_id, RideView ride);

  // A position of the driver was taken, so it may no longer be missing.
  void Positioned(const std::string& driver_id);

  // The driver's state. Without a session: kOffline and session_epoch 0 (only the store knows the availability).
  DriverState State(Now now, const std::string& driver_id) const;

  // Like State, for GetDriverState. A call with the session's epoch, which only the driver's own app knows, counts as a
  // contact and as receipt of the offer in the state.
  DriverState ReadState(Now now, const std::string& driver_id, std::int64_t session_epoch);

  // The answer to a command sent `state` to the driver's stream, so it is not sent again. May be called from a `done`.
  void StateSent(const std::string& driver_id, StreamId stream, const DriverState& state);

  // The last event sent to the driver's stream (or the one it resumed from): for `draining`.
  std::optional<RideCursor> CursorOf(const std::string& driver_id) const;

  bool HasSession(const std::string& driver_id) const;

  // ---- The dispatch links

  void LinkUp(Now now, LinkId link);
  // Withdraws the link's pending offers and drops its rides; confirmations continue.
  void LinkDown(Now now, LinkId link);
  // Acknowledged by DispatchStarted, unless it is older than the present dispatch of the ride.
  void Start(Now now, LinkId link, std::shared_ptr<const DispatchStart> start);
  void Stop(Now now, LinkId link, const std::string& ride_id, std::int64_t epoch, StopReason reason);

  // ---- Other replicas

  // A message of replica `from`, whose incarnation is not this process's.
  void OnReplicaMessage(Now now, const std::string& from, const ReplicaMessage& message);

  // ---- rider-service

  // The answer to Effects::Confirm. FAILED_PRECONDITION, NOT_FOUND and INVALID_ARGUMENT with a reason of Hail are
  // definite; after any other error the outcome is unknown.
  void OnConfirmed(Now now, const std::string& offer_id, int attempt, absl::StatusOr<RideView> result);
  // The answer to Effects::FindAssignment: the ride, NOT_FOUND, or any other error if unknown. After NOT_FOUND, also
  // the offer's record in the log. No record: the offer was never made, or a crash lost its record (it was live then,
  // or had just been settled).
  void OnFound(Now now, std::int64_t find, absl::StatusOr<RideView> result,
               const absl::StatusOr<std::optional<LoggedOffer>>& logged = std::nullopt);

  // The feed is open: all sessions subscribe.
  void OnFeedUp(Now now);
  // The feed is down: drivers get no new offers until it is back.
  void OnFeedDown(Now now);
  void OnFeedSnapshot(Now now, const FeedSnapshot& snapshot);
  void OnFeedEvent(Now now, const FeedEvent& event);

  // ---- Time

  // Does the work that is due. Must be called at least every 100 ms of wall time.
  void Tick(Now now);

  DispatchCounts Counts(Now now) const;

  // Counts `most` more sessions. Counting many at once would delay all other work of the loop. True: these were the
  // last, and `tally.counts` is complete.
  bool CountOn(Now now, DispatchTally& tally, std::size_t most) const;

  std::size_t session_count() const { return sessions_.size(); }

 private:
  // Matches the rides that are due, and offers each to its driver, here or through the owner of the driver's session.
  // Called at the end of each input.
  void Pump(Now now);

  const DispatchOptions options_;
  const RandomBits random_;
  MatchQueue queue_;
  // The two refer to each other: a session knows its driver's live offer, an offer its driver's session.
  OfferBook offers_;
  SessionRegistry sessions_;
  ReplicaProtocol replicas_;
};

}  // namespace hail::driver
