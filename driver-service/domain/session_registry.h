// The part of the dispatch core that keeps drivers' sessions: the stream and the messages sent on it, the desired
// availability, and the driver's rides.
//
// Invariants (docs/decisions/0034-the-dispatch-core-in-four.md): a driver can be offered rides only while
// rider-service's feed about that driver is caught up; a live ride outlives stream, position and feed; a stream gets
// each event once, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "absl/time/time.h"
#include "common/time/clock.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/effects.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/timers.h"

namespace hail::driver {

class SessionRegistry {
 public:
  // The live offers of drivers with a session here. Implemented by OfferBook.
  class LiveOffers {
   public:
    virtual ~LiveOffers() = default;
    // The driver's live offer; null: none.
    virtual const Offer* LiveOf(const std::string& driver_id) const = 0;
    // `offer` is pending, and its driver cannot accept it any more.
    virtual void Revoke(Now now, const Offer& offer, RevokeReason reason) = 0;
    // The feed shows the ride of `offer`, which is live.
    virtual void OnAssigned(Now now, const Offer& offer) = 0;
  };

  struct Session {
    // From the store, at driver.version.
    Driver driver;
    Availability availability = Availability::kOffline;
    // The epoch that the app knows; positions carry it.
    std::int64_t epoch = 0;
    // The epoch of the latest claim of this replica: higher if a unary call claimed a session that a stream had opened.
    std::int64_t claim = 0;
    // Whether a stream claimed it here.
    bool by_stream = false;

    // 0: none.
    StreamId stream = 0;
    // The epoch of the claim that opened the stream.
    std::int64_t stream_epoch = 0;
    // The stream's opening.
    Opening opening;
    // Wall time.
    absl::Time last_unary = absl::InfinitePast();
    absl::Time last_seen = absl::InfinitePast();
    // The next requested Review().
    absl::Time review_at = absl::InfiniteFuture();

    // The last subscription sent; answers to older ones are ignored.
    std::int64_t subscription = 0;
    absl::Time subscribed_at = absl::InfinitePast();
    // The subscription was answered: the feed reports the driver's events as they happen.
    bool synced = false;
    // Changes whenever the feed may have missed an event. A confirmation's reply is as new as the feed only if this did
    // not change while the confirmation was open. Unique over all sessions, because a confirmation may outlive its
    // session.
    std::int64_t feed_generation = 0;

    RideRef ride;
    // A ride from a confirmation's reply that the feed has not mentioned yet.
    std::string unverified_ride;
    // Owned by OfferBook; null: none.
    const Offer* live_offer = nullptr;
    bool offerable = false;
    // Whether strangers see the car: it is offerable, or has an offer.
    bool on_map = false;
    std::shared_ptr<const CarProfile> car;

    // DriverState::revision, and the values that it numbers: status, availability, blocked_by, the offer and its
    // status, the ride and its sequence.
    std::int64_t revision = 0;
    std::tuple<DriverStatus, Availability, BlockedBy, std::string, OfferStatus, std::string, std::int64_t> shown;
    // The part of the state that was last sent to this stream; nullopt: it had no snapshot yet.
    std::optional<std::tuple<DriverStatus, Availability, BlockedBy>> state_sent;
    // Whether a timer is set that checks whether the position has become stale, or has come.
    bool stale_look = false;
    bool fresh_look = false;
    // The delay of the latter, wall time; zero: the first.
    absl::Duration fresh_look_in = absl::ZeroDuration();

    // The last ride that is known to have ended: older messages about it are ignored.
    RideCursor over;

    // The highest sequence sent to this stream for each of the last few rides, latest ride last.
    std::deque<RideCursor> sent;
  };

  // All references must outlive this; `offers` is not used before the first input.
  SessionRegistry(const DispatchOptions& options, LocationIndex& index, Effects& effects, LiveOffers& offers)
      : options_(options), index_(index), effects_(effects), offers_(offers) {}
  SessionRegistry(const SessionRegistry&) = delete;
  SessionRegistry& operator=(const SessionRegistry&) = delete;

  // ---- The inputs of Dispatch of the same names

  std::int64_t OpenStream(Now now, const Driver& driver, Availability availability, std::int64_t epoch, StreamId stream,
                          std::optional<RideCursor> cursor, const Opening& opening);
  void CloseStream(Now now, const std::string& driver_id, StreamId stream);
  bool Contact(Now now, const std::string& driver_id);
  std::int64_t OpenUnary(Now now, const Driver& driver, Availability availability, std::int64_t epoch);
  void Learn(Now now, const Driver& driver, Availability availability);
  void Advanced(Now now, const std::string& driver_id, RideView ride);
  void Positioned(const std::string& driver_id);
  DriverState State(Now now, const std::string& driver_id) const;
  void StateSent(const std::string& driver_id, StreamId stream, const DriverState& state);
  std::optional<RideCursor> CursorOf(const std::string& driver_id) const;
  void OnFeedUp(Now now);
  void OnFeedDown(Now now);
  void OnFeedSnapshot(Now now, const FeedSnapshot& snapshot);
  void OnFeedEvent(Now now, const FeedEvent& event);

  // ---- Claims

  // The store contains a claim of this replica.
  void OnOwnClaim(const SessionClaim& claim);
  // Ends the session, if any, because another replica claimed it at `epoch`. `to_stream`: for a stream of the app.
  void Lose(Now now, const std::string& driver_id, std::int64_t epoch, bool to_stream);
  // Ends a late stream, because another replica has the session. `to_stream`: for a stream of the app.
  void RefuseStream(StreamId stream, bool to_stream);

  // ---- For offers

  // The driver's live offer is now `live` (null: none), and `message` reports it. No effect without a session.
  void OnOffer(Now now, const std::string& driver_id, const Offer* live, const DriverMessage& message);
  // The value for a confirmation that begins now; -1: the driver's rides are unknown.
  std::int64_t FeedGeneration(const std::string& driver_id) const;
  // The reply to a confirmation that began at `feed_generation`: the driver has `ride`.
  void OnConfirmed(Now now, const std::string& driver_id, RideView ride, std::int64_t feed_generation);
  // Restarts the feed about the driver, because the known rides of the driver are wrong.
  void Resubscribe(Now now, const std::string& driver_id);

  // Null: no session.
  const Session* Find(const std::string& driver_id) const;
  std::size_t size() const { return sessions_.size(); }

  // ---- Time

  void Tick(Now now);
  // Sends changed states to the streams. Called after everything else: of several simultaneous changes only the last
  // counts, and a state in the answer to a command is not sent again.
  void SendStates(Now now);

  // Dispatch::CountOn, for the sessions here.
  bool CountOn(Now now, DispatchTally& tally, std::size_t most) const;

 private:
  Session* FindSession(const std::string& driver_id) const;
  Session& Open(Now now, const Driver& driver, Availability availability, std::int64_t epoch, bool by_stream);
  // Sets the car of session.driver in the index. False: it was set already.
  bool SetCar(Session& session);
  void Take(Now now, Session& session, const Driver& driver, Availability availability);
  // Announces the claim to the other replicas.
  void AnnounceClaim(const Session& session);
  void Subscribe(Now now, Session& session);
  void UpdateOfferable(Now now, Session& session);
  void SetRide(Now now, Session& session, RideRef ride);
  // Settles the driver's live offer if the ride came from it.
  void LearnAssignment(Now now, const Session& session, const RideView& ride);
  // Revokes the driver's offer if it is pending.
  void RevokePending(Now now, const Session& session, RevokeReason reason);
  // Checks a session without a stream when its unary contact becomes old, and when it has been idle for long.
  void Review(Now now, const std::string& driver_id);
  void Send(const Session& session, const DriverMessage& message);
  void SendEvent(Session& session, const RideEventView& event);
  DriverState StateOf(Now now, Session& session) const;
  // The status; if the driver wants to be online but cannot get offers, also the reason.
  DriverStatus StatusOf(Now now, const Session& session, BlockedBy& blocked_by) const;
  // Whether the session's stream is open and shows that the app is there: its client sends heartbeats.
  static bool ShowsItself(const Session& session);
  // Whether the app is there: by its stream, or by a recent unary call.
  bool IsConnected(Now now, const Session& session) const;
  // The state sent to a stream may have changed: SendStates checks it.
  void MayHaveChanged(const Session& session);
  // Schedules a check of a state that may change by time, or by a position.
  void LookAgain(Now now, Session& session, const DriverState& state);

  const DispatchOptions& options_;
  LocationIndex& index_;
  Effects& effects_;
  LiveOffers& offers_;

  // Ordered, so that loops over all entries run in the same order in each run.
  std::map<std::string, std::unique_ptr<Session>> sessions_;
  // Drivers with a stream for SendStates.
  std::set<std::string> changed_;
  bool feed_up_ = false;
  std::int64_t last_subscription_ = 0;
  std::int64_t last_generation_ = 0;
  // By driver.
  Timers<std::string> stale_looks_;   // domain
  Timers<std::string> fresh_looks_;   // wall
  Timers<std::string> feed_answers_;  // wall
  Timers<std::string> reviews_;       // wall
};

}  // namespace hail::driver
