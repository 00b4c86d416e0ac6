// The core of driver-service: drivers' sessions, the rides being dispatched, the offers between them, and
// confirmations.
//
// Plain C++: input and Now in, decisions out through Effects. Single-threaded: all calls come from one loop. No call
// blocks or throws, and none is made from inside Effects or a `done` (post instead).
//
// Dispatch itself holds no state. It hands each input to the part that owns what the input is about, in an order that
// keeps the parts in step, and matches the rides that became due (docs/decisions/0034-the-dispatch-core-in-four.md):
//
//   SessionRegistry   drivers' sessions, their streams and the feed about their rides
//   OfferBook         offers made here and their confirmation
//   MatchQueue        rides a driver is looked for
//   ReplicaProtocol   drivers of other replicas, offers asked of them and asked for by them
//
// Of any number of replicas each driver's session is one's, the owner's: it makes the driver's offers, its own and
// those that others ask for, and confirms what the driver accepts. A replica that dispatches a ride asks the owner of
// the driver it found (docs/decisions/0024-driver-replicas.md).
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

  // A stream was opened for a stored driver, and its session claimed at `epoch`. Replaces an open one (which is sent
  // Replaced). Nothing is sent to the new stream before the feed has answered; then: the events missed since `cursor`,
  // a snapshot, caught_up. Returns the session's epoch: the fixes of this stream carry it. A stream that the same run
  // of the app opened before the open one, or whose claim is older than the open one's, has come late: it is sent
  // Replaced instead; Moved, if meanwhile only a unary call claimed the session at another replica.
  std::int64_t OpenStream(Now now, const Driver& driver, Availability availability, std::int64_t epoch, StreamId stream,
                          std::optional<RideCursor> cursor, const Opening& opening = {});

  // The stream ended, for whatever reason. Without effect for one that was replaced.
  void CloseStream(Now now, const std::string& driver_id, StreamId stream);

  // A unary call of this driver came in. False: no session; claim it and call OpenUnary.
  bool Contact(Now now, const std::string& driver_id);

  // A unary call of a stored driver came in, and the session was claimed at `epoch`. Opens it if there is none. The
  // session's epoch.
  std::int64_t OpenUnary(Now now, const Driver& driver, Availability availability, std::int64_t epoch);

  // The driver as the store has it, profile and desired availability, after a write or a read; so do OpenStream and
  // OpenUnary. Of what is kept beside the row here the version says which is newer: an older one is left out. Offline
  // withdraws a pending offer; another car counts from the next offer on.
  void Learn(Now now, const Driver& driver, Availability availability);

  // Under which what is written for the driver's session is written: the latest claim known here. Epoch 0: no session.
  SessionClaim ClaimOf(const std::string& driver_id) const;

  // Sessions as the store knows them. One that another replica claimed after it was claimed here ends: its stream is
  // sent Replaced (Moved, if only a unary call claimed it), a pending offer is withdrawn, one being confirmed goes on
  // until its outcome is certain. Of this replica's own ones the answer to the claim may have been lost.
  void OnClaims(Now now, const std::vector<SessionClaim>& claims);

  // The app shows the offer.
  void OfferReceived(Now now, const std::string& driver_id, const std::string& offer_id);

  // The driver answers an offer. `done` runs once the outcome is certain: at once, or after a confirmation that may
  // take as long as rider-service is away. An unknown offer is looked up at rider-service. Works without a session as
  // well.
  void Respond(Now now, const std::string& driver_id, const std::string& offer_id, bool accept, RespondDone done);

  // What came back from rider-service to a step of the driver's trip: the ride after it, which the feed may not have
  // told yet.
  void Advanced(Now now, const std::string& driver_id, RideView ride);

  // A position of the driver's was taken: one that was missing may not be any more.
  void Positioned(const std::string& driver_id);

  // What the driver is doing. Without a session: kOffline and session_epoch 0 (availability is the store's to know).
  DriverState State(Now now, const std::string& driver_id) const;

  // As State, for GetDriverState. With the epoch of the session, which the driver's own app alone knows, it is a sign
  // of life, and the offer in it counts as received.
  DriverState ReadState(Now now, const std::string& driver_id, std::int64_t session_epoch);

  // `state` went to the driver's stream with the answer to a command: it is not sent once more. Also from a `done`.
  void StateSent(const std::string& driver_id, StreamId stream, const DriverState& state);

  // The last event sent to the driver's stream (or the one it resumed from): for `draining`.
  std::optional<RideCursor> CursorOf(const std::string& driver_id) const;

  bool HasSession(const std::string& driver_id) const;

  // ---- The dispatch links

  void LinkUp(Now now, LinkId link);
  // Withdraws the link's pending offers and drops its rides; confirmations go on.
  void LinkDown(Now now, LinkId link);
  // Acknowledged by DispatchStarted, unless it is older than what is worked on.
  void Start(Now now, LinkId link, std::shared_ptr<const DispatchStart> start);
  void Stop(Now now, LinkId link, const std::string& ride_id, std::int64_t epoch, StopReason reason);

  // ---- Other replicas

  // What replica `from` said; its incarnation is not this process's.
  void OnReplicaMessage(Now now, const std::string& from, const ReplicaMessage& message);

  // ---- rider-service

  // What came of Effects::Confirm. FAILED_PRECONDITION, NOT_FOUND and INVALID_ARGUMENT with one of Hail's reasons are
  // definite; anything else but OK leaves the outcome unknown.
  void OnConfirmed(Now now, const std::string& offer_id, int attempt, absl::StatusOr<RideView> result);
  // What came of Effects::FindAssignment: the ride, NOT_FOUND, or anything else: not known. With NOT_FOUND, what the
  // offer log says of it. Nothing: it was never made, or a crash lost its record (it was live then, or had just
  // settled).
  void OnFound(Now now, std::int64_t find, absl::StatusOr<RideView> result,
               const absl::StatusOr<std::optional<LoggedOffer>>& logged = std::nullopt);

  // The feed is open: all sessions subscribe.
  void OnFeedUp(Now now);
  // The feed broke: nobody gets new offers until it is back.
  void OnFeedDown(Now now);
  void OnFeedSnapshot(Now now, const FeedSnapshot& snapshot);
  void OnFeedEvent(Now now, const FeedEvent& event);

  // ---- Time

  // Does what is due. Call it at least every 100 ms of wall time.
  void Tick(Now now);

  DispatchCounts Counts(Now now) const;

  // Counts `most` more sessions: of many, all at once would hold up everybody else. True: these were the last, and
  // `tally.counts` is whole.
  bool CountOn(Now now, DispatchTally& tally, std::size_t most) const;

  std::size_t session_count() const { return sessions_.size(); }

 private:
  // Matches the rides that are due, and offers each to its driver, here or by the owner of the driver's session. At the
  // end of each input.
  void Pump(Now now);

  const DispatchOptions options_;
  const RandomBits random_;
  MatchQueue queue_;
  // These two know each other: a session has its driver's live offer, an offer its driver's session.
  OfferBook offers_;
  SessionRegistry sessions_;
  ReplicaProtocol replicas_;
};

}  // namespace hail::driver
