// The part of the dispatch core that keeps drivers' sessions: the stream, the driver's desired availability and rides,
// what the stream was sent.
//
// Invariants (docs/decisions/0034-the-dispatch-core-in-four.md): a driver can be offered rides only while
// rider-service's feed about that driver is caught up; a ride in hand outlives stream, position and feed; a stream gets
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
  // The offers of drivers with a session here, as their sessions change. OfferBook.
  class LiveOffers {
   public:
    virtual ~LiveOffers() = default;
    // The driver's live offer; null: none.
    virtual const Offer* LiveOf(const std::string& driver_id) const = 0;
    // `offer` is pending, and its driver cannot take it any more.
    virtual void Revoke(Now now, const Offer& offer, RevokeReason reason) = 0;
    // The feed shows the ride that `offer`, a live one, brought its driver.
    virtual void OnAssigned(Now now, const Offer& offer) = 0;
  };

  struct Session {
    // As the store had them at driver.version.
    Driver driver;
    Availability availability = Availability::kOffline;
    // As the app knows it: positions carry it.
    std::int64_t epoch = 0;
    // Of the latest claim that this replica made: higher, where a unary call claimed what a stream had opened.
    std::int64_t claim = 0;
    // Whether a stream claimed it here.
    bool by_stream = false;

    // 0: none.
    StreamId stream = 0;
    // Of the claim it was opened with.
    std::int64_t stream_epoch = 0;
    // Of the stream.
    Opening opening;
    // Wall time.
    absl::Time last_unary = absl::InfinitePast();
    absl::Time last_seen = absl::InfinitePast();
    // The next Review() asked for.
    absl::Time review_at = absl::InfiniteFuture();

    // The last subscription sent; answers to older ones are ignored.
    std::int64_t subscription = 0;
    absl::Time subscribed_at = absl::InfinitePast();
    // The subscription was answered: the feed reports what happens to the driver's rides as it happens.
    bool synced = false;
    // Changes whenever the feed may have left something out. A confirmation's reply is as new as the feed only if this
    // did not change while it was under way. Of no two sessions the same: a confirmation may outlive the one that it
    // was begun in.
    std::int64_t feed_generation = 0;

    RideRef ride;
    // A ride learned from a confirmation's reply that the feed has not mentioned yet.
    std::string unverified_ride;
    // OfferBook's; null: none.
    const Offer* live_offer = nullptr;
    bool offerable = false;
    std::shared_ptr<const CarProfile> car;

    // DriverState::revision, and what it is of: status, availability, blocked_by, the offer and its status, the ride
    // and its sequence.
    std::int64_t revision = 0;
    std::tuple<DriverStatus, Availability, BlockedBy, std::string, OfferStatus, std::string, std::int64_t> shown;
    // The part of the state that this stream was sent last; nullopt: it had no snapshot yet.
    std::optional<std::tuple<DriverStatus, Availability, BlockedBy>> state_sent;
    // A timer is set that looks whether the position has gone stale, or has come.
    bool stale_look = false;
    bool fresh_look = false;
    // How long the latter waits, wall time; zero: the first.
    absl::Duration fresh_look_in = absl::ZeroDuration();

    // The last ride that ended, as far as it is known: older news of it is left out.
    RideCursor over;

    // What this stream was sent, per ride the highest sequence, latest ride last; a few.
    std::deque<RideCursor> sent;
  };

  // All references must outlive this; `offers` is first used by the first input.
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

  // The store has a claim of this replica's own.
  void OnOwnClaim(const SessionClaim& claim);
  // Ends the session, if there is one: another replica claimed it at `epoch`, `to_stream`: for a stream of the app's.
  void Lose(Now now, const std::string& driver_id, std::int64_t epoch, bool to_stream);
  // Ends a stream that has come late: another replica has the session, `to_stream`: for a stream of the app's.
  void RefuseStream(StreamId stream, bool to_stream);

  // ---- For offers

  // The driver's live offer is now `live` (null: none), and `message` says so. Without effect if there is no session.
  void OnOffer(Now now, const std::string& driver_id, const Offer* live, const DriverMessage& message);
  // What a confirmation begun now has to name; -1: nothing is known of the driver's rides.
  std::int64_t FeedGeneration(const std::string& driver_id) const;
  // The reply to a confirmation that was begun at `feed_generation`: the driver has `ride`.
  void OnConfirmed(Now now, const std::string& driver_id, RideView ride, std::int64_t feed_generation);
  // Starts the feed about the driver anew: what is known of the driver's rides is wrong.
  void Resubscribe(Now now, const std::string& driver_id);

  // Null: no session.
  const Session* Find(const std::string& driver_id) const;
  std::size_t size() const { return sessions_.size(); }

  // ---- Time

  void Tick(Now now);
  // Sends the streams those states that changed. After all else: of several changes at a time the last one counts, and
  // where an answer to a command shows it, the answer is enough.
  void SendStates(Now now);

  // Dispatch::CountOn, for what is known here.
  bool CountOn(Now now, DispatchTally& tally, std::size_t most) const;

 private:
  Session* FindSession(const std::string& driver_id) const;
  Session& Open(Now now, const Driver& driver, Availability availability, std::int64_t epoch, bool by_stream);
  // Makes the car of session.driver known. False: it was.
  bool SetCar(Session& session);
  void Take(Now now, Session& session, const Driver& driver, Availability availability);
  // Announces the claim to the other replicas.
  void AnnounceClaim(const Session& session);
  void Subscribe(Now now, Session& session);
  void UpdateOfferable(Now now, Session& session);
  void SetRide(Now now, Session& session, RideRef ride);
  // If the ride came from the driver's live offer, its outcome is known now.
  void LearnAssignment(Now now, const Session& session, const RideView& ride);
  // Revokes the driver's offer if it is pending.
  void RevokePending(Now now, const Session& session, RevokeReason reason);
  // A session without a stream is looked at when its unary contact grows old, and when it is idle for long.
  void Review(Now now, const std::string& driver_id);
  void Send(const Session& session, const DriverMessage& message);
  void SendEvent(Session& session, const RideEventView& event);
  DriverState StateOf(Now now, Session& session) const;
  // And why not more, for one who wants to be online.
  DriverStatus StatusOf(Now now, const Session& session, BlockedBy& blocked_by) const;
  // The state that a stream was sent may have changed: looked at by SendStates.
  void MayHaveChanged(const Session& session);
  // Has a state looked at again that time alone, or a position, can change.
  void LookAgain(Now now, Session& session, const DriverState& state);

  const DispatchOptions& options_;
  LocationIndex& index_;
  Effects& effects_;
  LiveOffers& offers_;

  // Ordered, so that what is done for all is done in the same order in each run.
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
