// The part of the dispatch core that communicates with other replicas: the drivers of their sessions, the offers
// requested from them, and the offers that they request here (docs/decisions/0024-driver-replicas.md).
//
// Invariants (docs/decisions/0034-the-dispatch-core-in-four.md): a driver is known here or at another replica, by the
// highest claim; a ride has a local or a requested offer, not both; a requested offer ends here even if its owner is
// gone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/effects.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/match_queue.h"
#include "driver-service/domain/offer_book.h"
#include "driver-service/domain/replica_message.h"
#include "driver-service/domain/session_registry.h"
#include "driver-service/domain/timers.h"

namespace hail::driver {

class ReplicaProtocol {
 public:
  // All references must outlive this.
  ReplicaProtocol(const DispatchOptions& options, LocationIndex& index, const RandomBits& random, Effects& effects,
                  SessionRegistry& sessions, OfferBook& offers, MatchQueue& queue)
      : options_(options),
        index_(index),
        random_(random),
        effects_(effects),
        sessions_(sessions),
        offers_(offers),
        queue_(queue) {}
  ReplicaProtocol(const ReplicaProtocol&) = delete;
  ReplicaProtocol& operator=(const ReplicaProtocol&) = delete;

  void OnMessage(Now now, const std::string& from, const ReplicaMessage& message);
  // The store contains this claim.
  void OnClaim(Now now, const SessionClaim& claim);

  // ---- Drivers of other replicas

  // A session of the driver is about to be opened here.
  void OnSessionOpening(Now now, const std::string& driver_id);
  // Refuses the stream if another replica is known to have claimed the session later than at `epoch`. False otherwise.
  bool RefuseLateStream(StreamId stream, const std::string& driver_id, std::int64_t epoch);
  bool CanAsk(const std::string& driver_id) const;

  // ---- Rides dispatched here

  // Requests the offer from the owner of the matched driver.
  void Ask(Now now, const MatchQueue::Match& match);
  // Revokes the pending offer of the ride, if it has one at an epoch below `below`, here or at another replica. An
  // offer in confirmation continues.
  void RevokePending(Now now, const std::string& ride_id, std::int64_t below, RevokeReason reason);
  // Whether the ride has a live offer, here or at another replica.
  bool HasLiveOffer(const std::string& ride_id) const;
  // Other replicas end their dispatches and pending offers of the ride at lower epochs.
  void AnnounceStart(const DispatchStart& start);

  void Tick(Now now);

 private:
  // A driver whose session another replica has.
  struct Remote {
    std::string replica;
    std::int64_t epoch = 0;
    // Whether a stream of the app is known to have claimed it.
    bool by_stream = false;
    // The number of the latest presence.
    std::uint64_t number = 0;
    bool offerable = false;
    bool on_map = false;
    std::shared_ptr<const CarProfile> car;
    // Wall time of the latest message about the driver.
    absl::Time last_seen = absl::InfinitePast();
    // Wall time of the next check whether to drop it.
    absl::Time review_at;
    // The driver's offer in asked_; empty: none.
    std::string asked;
  };
  // A live offer that was requested from another replica.
  struct Asked {
    std::string offer_id;
    std::string driver_id;
    // The owner.
    std::string replica;
    std::shared_ptr<const DispatchStart> start;
    // kPending or kConfirming.
    OfferStatus status = OfferStatus::kPending;
    // Domain time.
    absl::Time deadline;
    absl::Duration ride_waited;
    // Whether the owner has ever answered, and whether it has answered since the last request.
    bool ever_answered = false;
    bool answered = false;
    // The time for the first answer has passed.
    bool waited = false;
    int unanswered = 0;
  };

  // The entry for a session that `replica` claimed at `epoch`, or for a later one. There must be no session of the
  // driver here.
  Remote& Known(Now now, const std::string& driver_id, const std::string& replica, std::int64_t epoch);
  void SendAsk(Now now, const Asked& asked, bool repeated);
  void AskAgain(Now now, Asked& asked);
  // Drops it. The ride, if still dispatched, is due again.
  void Settle(Now now, const Asked& asked);
  void Withdraw(Now now, const Asked& asked, RevokeReason reason);
  // Withdraws the offer with this id if it is pending.
  void WithdrawPending(Now now, const std::string& offer_id);
  void Review(Now now, const std::string& driver_id);
  RemoteOfferRejectReason WhyNotOffered(Now now, const RemoteOfferRequest& ask) const;

  void On(Now now, const std::string& from, const Presences& presences);
  void On(Now now, const std::string& from, const SessionClaimed& claimed);
  void On(Now now, const std::string& from, const RideStarted& started);
  void On(Now now, const std::string& from, const RemoteOfferRequest& ask);
  void On(Now now, const std::string& from, const OfferWithdraw& withdraw);
  void On(Now now, const std::string& from, const RemoteOfferStatus& update);

  const DispatchOptions& options_;
  LocationIndex& index_;
  const RandomBits& random_;
  Effects& effects_;
  SessionRegistry& sessions_;
  OfferBook& offers_;
  MatchQueue& queue_;

  std::map<std::string, std::unique_ptr<Remote>> remotes_;
  // By offer, and by ride.
  std::map<std::string, std::unique_ptr<Asked>> asked_;
  std::map<std::string, Asked*> asked_of_ride_;
  // Replicas that did not answer: they get no requests before their next message.
  std::set<std::string> silent_;
  Timers<std::string> asks_;     // wall, by offer
  Timers<std::string> reviews_;  // wall, by driver
};

}  // namespace hail::driver
