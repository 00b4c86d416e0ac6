// The part of the dispatch core that keeps the offers to drivers whose sessions are here, from creation to the end,
// including the confirmation of accepted offers.
//
// Invariants (docs/decisions/0034-the-dispatch-core-in-four.md): a driver and a ride have at most one live offer each;
// only a pending offer can be accepted; an accepted offer is the driver's only after rider-service has confirmed it,
// and until then the driver waits (RESERVED) however long that takes; each answer gets one outcome, a certain one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/effects.h"
#include "driver-service/domain/match_queue.h"
#include "driver-service/domain/session_registry.h"
#include "driver-service/domain/timers.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

class OfferBook final : public SessionRegistry::LiveOffers {
 public:
  // All references must outlive this; `sessions` is not used before the first input.
  OfferBook(const DispatchOptions& options, const TravelTimes& travel_times, const RandomBits& random, Effects& effects,
            SessionRegistry& sessions, MatchQueue& queue)
      : options_(options),
        travel_times_(travel_times),
        random_(random),
        effects_(effects),
        sessions_(sessions),
        queue_(queue) {}
  OfferBook(const OfferBook&) = delete;
  OfferBook& operator=(const OfferBook&) = delete;

  // Makes an offer to a driver who is offerable here, at `fix`. `asker`: the replica that requested it; empty: the ride
  // is dispatched here.
  void Make(Now now, const std::string& offer_id, const std::string& driver_id, const Fix& fix,
            std::shared_ptr<const DispatchStart> start, absl::Duration ride_waited, const std::string& asker);
  // Revokes the pending offer of the ride, if it has one at an epoch below `below`. An offer in confirmation continues.
  void RevokeOfRide(Now now, const std::string& ride_id, std::int64_t below, RevokeReason reason);

  // ---- The inputs of Dispatch of the same names

  void OfferReceived(Now now, const std::string& driver_id, const std::string& offer_id);
  void Respond(Now now, const std::string& driver_id, const std::string& offer_id, bool accept, RespondDone done);
  void OnConfirmed(Now now, const std::string& offer_id, int attempt, absl::StatusOr<RideView> result);
  void OnFound(Now now, std::int64_t find, absl::StatusOr<RideView> found,
               const absl::StatusOr<std::optional<LoggedOffer>>& logged);

  // ---- For the replica that requested an offer

  // The replica requested it again, and gets the present status. False: the offer is unknown.
  bool AskedAgain(Now now, const std::string& asker, const std::string& offer_id);
  // The replica withdraws a pending offer that it requested.
  void WithdrawnByAsker(Now now, const std::string& asker, const std::string& offer_id, RevokeReason reason);

  // ---- For sessions

  const Offer* LiveOf(const std::string& driver_id) const override;
  void Revoke(Now now, const Offer& offer, RevokeReason reason) override;
  void OnAssigned(Now now, const Offer& offer) override;

  // Null: the ride has no live offer here.
  const Offer* LiveOfRide(const std::string& ride_id) const;

  void Tick(Now now);
  void Count(DispatchCounts& counts) const;

 private:
  struct Entry : Offer {
    // The replica that dispatches the ride. Empty: this one.
    std::string asker;
    // Wall time of its last request.
    absl::Time asked_at = absl::InfinitePast();
    // The reject reason for the requesting replica if the offer is revoked.
    RemoteOfferRejectReason ending = RemoteOfferRejectReason::kNone;

    // The driver at the time of acceptance.
    Driver driver;
    // The number of confirmations so far; at most one is open.
    int attempts = 0;
    bool in_flight = false;
    // SessionRegistry::FeedGeneration when the attempt began.
    std::int64_t attempt_generation = -1;
    // The answers that wait for the outcome, each with whether it is an accept.
    std::vector<std::pair<bool, RespondDone>> waiting;
  };
  // An answer to an offer that is unknown here.
  struct Find {
    std::string driver_id;
    std::string offer_id;
    bool accept = false;
    RespondDone done;
  };

  // Null: unknown.
  Entry* FindOffer(const std::string& offer_id) const;
  void Accept(Now now, Entry& offer);
  void SendConfirm(Entry& offer);
  void Expire(Now now, Entry& offer);
  void NotTaken(Now now, Entry& offer, OfferStatus outcome);
  void NotReceived(Now now, Entry& offer);
  // Ends a live offer. Frees driver and ride; the ride, if still dispatched, is due again.
  void Settle(Now now, Entry& offer, OfferStatus status, RevokeReason reason = RevokeReason::kNone);
  void Committed(Now now, Entry& offer, RideView ride);
  void Refused(Now now, Entry& offer, const absl::Status& status);
  void Answer(Now now, const Entry& offer, bool accept, RespondDone& done);
  void ReportToAsker(const Entry& offer);

  const DispatchOptions& options_;
  const TravelTimes& travel_times_;
  const RandomBits& random_;
  Effects& effects_;
  SessionRegistry& sessions_;
  MatchQueue& queue_;

  // Live offers, and settled ones for a while.
  std::map<std::string, std::unique_ptr<Entry>> offers_;
  // Live offers only.
  std::map<std::string, Entry*> live_of_ride_;
  std::map<std::string, Entry*> live_of_driver_;
  std::map<std::int64_t, Find> finds_;
  std::int64_t last_find_ = 0;
  // By offer.
  Timers<std::string> expiries_;         // domain
  Timers<std::string> forget_;           // domain
  Timers<std::string> receipts_;         // wall
  Timers<std::string> confirm_retries_;  // wall
  Timers<std::string> silent_askers_;    // wall
};

}  // namespace hail::driver
