// The core of driver-service: drivers' sessions, the rides being dispatched, the offers between them, and
// confirmations.
//
// Plain C++: input and Now in, decisions out through Effects. Single-threaded: all calls come from one loop. No call
// blocks or throws, and none is made from inside Effects or a `done` (post instead).
//
// What always holds (DESIGN §10): a driver and a ride have at most one live offer each; an offer that is not pending
// cannot be accepted; an accepted offer is the driver's only after rider-service said so, and until it did the driver
// waits (RESERVED) however long that takes; a driver is offered rides only while rider-service's feed about that driver
// is caught up; a ride in hand outlives stream, position and feed.
//
// Of any number of replicas each driver's session is one's, the owner's: it makes the driver's offers, its own and
// those that others ask for, and confirms what the driver accepts. A replica that dispatches a ride asks the owner of
// the driver it found (dispatch_replicas.cc, docs/decisions/0024-driver-replicas.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/effects.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/matcher.h"
#include "driver-service/domain/replica_message.h"
#include "driver-service/domain/travel_times.h"

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

class Dispatch {
 public:
  using RespondDone = std::function<void(RespondResult)>;

  // All references must outlive the core. `index` is shared with the handlers that take positions.
  Dispatch(DispatchOptions options, LocationIndex& index, const TravelTimes& travel_times, const Matcher& matcher,
           RandomBits random, Effects& effects);
  ~Dispatch();
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

  // The driver as the store has it, profile and wish, after a write or a read; so do OpenStream and OpenUnary. Of what
  // is kept beside the row here the version says which is newer: an older one is left out. Offline withdraws a pending
  // offer; another car counts from the next offer on.
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
  struct Session;
  struct Offer;
  struct Ride;
  // A driver whose session another replica has.
  struct Remote;
  // A live offer that was asked of another replica.
  struct Asked;
  // A ride whose dispatch at `epoch` is over for good, so that a late start of it is not taken on.
  struct Ended {
    std::int64_t epoch = 0;
    absl::Time until;
  };
  struct Find {
    std::string driver_id;
    std::string offer_id;
    bool accept = false;
    RespondDone done;
  };
  enum class TimerKind {
    kOfferExpiry,
    kForgetOffer,
    kForgetEnded,
    kReceive,
    kConfirmRetry,
    kFeedAnswer,
    kReview,
    kWorkingSet,
    kStaleAgain,
    kFreshAgain,
    kAsk,
    kAskerGone,
    kForgetRemote
  };
  struct Timer {
    TimerKind kind;
    // Of the offer, ride or driver.
    std::string id;
    LinkId link = 0;
  };
  // Not taken back when no longer wanted: whoever is woken checks whether it is due. Equal times keep their order.
  using Timers = std::multimap<absl::Time, Timer>;

  // dispatch_sessions.cc
  Session* FindSession(const std::string& driver_id) const;
  // Of a driver, an offer that is there.
  Session& SessionOf(const std::string& driver_id) const;
  Offer& OfferOf(const std::string& offer_id) const;
  Session& Open(Now now, const Driver& driver, Availability availability, std::int64_t epoch, bool by_stream);
  bool SetCar(Session& session);
  // Tells the other replicas of the claim.
  void TellClaim(const Session& session);
  // Another replica claimed the driver's session at `epoch`, `to_stream`: for a stream of the app's.
  void Lose(Now now, const std::string& driver_id, std::int64_t epoch, bool to_stream);
  void RefuseStream(StreamId stream, bool to_stream);
  void Subscribe(Now now, Session& session);
  void UpdateOfferable(Now now, Session& session);
  void SetRide(Now now, Session& session, RideRef ride);
  void Review(Now now, const std::string& driver_id);
  void Send(const Session& session, const DriverMessage& message);
  void SendEvent(Session& session, const RideEventView& event);
  DriverState StateOf(Now now, Session& session) const;
  void Take(Now now, Session& session, const Driver& driver, Availability availability);
  // What a stream was told of its driver's state may have changed: looked at by TellStates.
  void MayHaveChanged(const Session& session);
  void TellStates(Now now);
  // Has a state looked at again that time alone, or a position, can change.
  void LookAgain(Now now, Session& session, const DriverState& state);
  // And why not more, for one who wants to be online.
  DriverStatus StatusOf(Now now, const Session& session, BlockedBy& blocked_by) const;
  void LearnAssignment(Now now, Session& session, const RideRef& ride);

  // dispatch_offers.cc
  // To a driver whose session is here. `asker`: the replica that asked for it; empty: this one's ride.
  void MakeOffer(Now now, const std::string& offer_id, const std::string& driver_id, const Fix& fix,
                 std::shared_ptr<const DispatchStart> start, absl::Duration ride_waited, const std::string& asker);
  OfferView View(Now now, const Offer& offer) const;
  void Accept(Offer& offer);
  void SendConfirm(Offer& offer);
  void Expire(Now now, Offer& offer);
  void NotTaken(Now now, Offer& offer, OfferStatus outcome);
  void NotReceived(Now now, Offer& offer);
  // Ends a live offer. Frees driver and ride: the ride, if still dispatched, is due again.
  void Settle(Now now, Offer& offer, OfferStatus status, RevokeReason reason = RevokeReason::kNone);
  void Committed(Now now, Offer& offer, RideView ride);
  void Refused(Now now, Offer& offer, const absl::Status& status);
  void Answer(Now now, const Offer& offer, bool accept, RespondDone& done);

  // dispatch_replicas.cc
  void Ask(Now now, Ride& ride, const NearDriver& candidate);
  void SendAsk(Now now, const Asked& asked, bool repeated);
  void AskAgain(Now now, Asked& asked);
  void SettleAsked(Now now, Asked& asked);
  void WithdrawAsked(Now now, Asked& asked, RevokeReason reason);
  // To the asker, if the offer was asked for.
  void TellAsker(const Offer& offer);
  AskEnding WhyNotOffered(Now now, const OfferAsk& ask) const;
  Remote& Known(Now now, const std::string& driver_id, const std::string& replica, std::int64_t epoch);
  bool CanAsk(const std::string& driver_id) const;
  void On(Now now, const std::string& from, const Sightings& sightings);
  void On(Now now, const std::string& from, const SessionClaimed& claimed);
  void On(Now now, const std::string& from, const RideStarted& started);
  void On(Now now, const std::string& from, const OfferAsk& ask);
  void On(Now now, const std::string& from, const OfferWithdraw& withdraw);
  void On(Now now, const std::string& from, const OfferTold& told);

  // dispatch.cc
  // Revokes the pending offer of the ride, if it has one at an epoch below `below`, here or at another replica. One
  // that is being confirmed goes on.
  void WithdrawPending(Now now, const std::string& ride_id, std::int64_t below, RevokeReason reason);
  void Drop(const std::string& ride_id);
  void EndDispatch(Now now, const std::string& ride_id, std::int64_t epoch);
  void RememberEnded(Now now, const std::string& ride_id, std::int64_t epoch);
  void MakeDue(Ride& ride, absl::Time when);
  double RadiusM(Now now, const Ride& ride) const;
  // Matches the rides that are due. At the end of each input.
  void Pump(Now now);

  void Wake(Now now, const Timer& timer);

  const DispatchOptions options_;
  LocationIndex& index_;
  const TravelTimes& travel_times_;
  const Matcher& matcher_;
  const RandomBits random_;
  Effects& effects_;

  // Ordered, so that what is done for all is done in the same order in each run.
  std::map<std::string, std::unique_ptr<Session>> sessions_;
  std::map<std::string, std::unique_ptr<Offer>> offers_;
  std::map<std::string, std::unique_ptr<Ride>> rides_;
  std::map<std::string, Ended> ended_;
  std::map<std::string, std::unique_ptr<Remote>> remotes_;
  std::map<std::string, std::unique_ptr<Asked>> asked_;
  // Replicas that did not answer: not asked before they are heard again.
  std::set<std::string> silent_;
  std::map<std::int64_t, Find> finds_;
  std::set<LinkId> links_;
  // The live offer of a ride, in offers_ or asked_; also of one not, or no longer, dispatched here.
  std::map<std::string, std::string> live_offer_of_ride_;
  // Offers being confirmed whose driver's session was lost, by driver. A session opened meanwhile has its offer again.
  std::map<std::string, std::string> orphans_;
  // Drivers with a stream for TellStates.
  std::set<std::string> changed_;
  // Rides without a live offer, by when to look for a driver next.
  std::set<std::pair<absl::Time, std::string>> due_;
  Timers domain_timers_;
  Timers wall_timers_;
  bool feed_up_ = false;
  std::int64_t last_subscription_ = 0;
  std::int64_t last_find_ = 0;
};

}  // namespace hail::driver
