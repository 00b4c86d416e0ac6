// Drivers whose sessions other replicas have: what is known of them, offers asked of their owners, and offers that
// other replicas ask for here.
#include <algorithm>
#include <utility>
#include <variant>

#include "common/errors/check.h"
#include "driver-service/domain/dispatch_state.h"

namespace hail::driver {

void Dispatch::OnReplicaMessage(Now now, const std::string& from, const ReplicaMessage& message) {
  if (from == options_.replica) return;
  silent_.erase(from);
  std::visit([&](const auto& said) { On(now, from, said); }, message);
  Pump(now);
}

// ---- What is known of them

// The entry for a session that `replica` claimed at `epoch`, or for a later one. There is no session of the driver
// here.
Dispatch::Remote& Dispatch::Known(Now now, const std::string& driver_id, const std::string& replica,
                                  std::int64_t epoch) {
  std::unique_ptr<Remote>& slot = remotes_[driver_id];
  if (slot == nullptr) {
    slot = std::make_unique<Remote>();
    slot->review_at = now.wall + options_.session_idle;
    wall_timers_.insert({slot->review_at, {TimerKind::kForgetRemote, driver_id}});
  }
  Remote& remote = *slot;
  remote.heard = now.wall;
  if (remote.epoch < epoch) {
    remote.replica = replica;
    remote.epoch = epoch;
    remote.by_stream = false;
    remote.number = 0;
    remote.offerable = false;
    remote.car = nullptr;
    index_.SetOfferable(driver_id, false);
    // Who had the session ends its pending offers, if it is still there to do so.
    if (auto asked = asked_.find(remote.asked);
        asked != asked_.end() && asked->second->status == OfferStatus::kPending) {
      WithdrawAsked(now, *asked->second, RevokeReason::kSuperseded);
    }
  }
  return remote;
}

void Dispatch::On(Now now, const std::string& from, const SessionClaimed& claimed) {
  const Session* session = FindSession(claimed.driver_id);
  if (session != nullptr && claimed.epoch <= session->claim) return;
  Lose(now, claimed.driver_id, claimed.epoch, claimed.by_stream);
  // Nobody's: what was changed while its replica did not renew its lease ended it.
  if (from.empty()) return;
  Remote& remote = Known(now, claimed.driver_id, from, claimed.epoch);
  if (remote.epoch == claimed.epoch) remote.by_stream = remote.by_stream || claimed.by_stream;
}

void Dispatch::On(Now now, const std::string& from, const Sightings& sightings) {
  for (const Sighting& sighting : sightings.drivers) {
    const std::string& driver_id = sighting.driver_id;
    const Session* session = FindSession(driver_id);
    // What the app on a stream is to be told depends on the claim.
    if (session != nullptr && (sighting.session_epoch <= session->claim || session->stream != 0)) continue;
    Lose(now, driver_id, sighting.session_epoch, /*to_stream=*/false);
    Remote& remote = Known(now, driver_id, from, sighting.session_epoch);
    if (remote.epoch != sighting.session_epoch || sighting.number <= remote.number) continue;
    const bool same_car = remote.car != nullptr && sighting.car != nullptr && *remote.car == *sighting.car;
    if (!same_car) {
      remote.car = sighting.car;
      index_.SetCar(driver_id, sighting.car);
    }
    remote.number = sighting.number;
    if (sighting.fix.has_value()) index_.Update(driver_id, *sighting.fix);
    if (remote.offerable == sighting.offerable) continue;
    remote.offerable = sighting.offerable;
    index_.SetOfferable(driver_id, sighting.offerable);
  }
}

bool Dispatch::CanAsk(const std::string& driver_id) const {
  auto it = remotes_.find(driver_id);
  if (it == remotes_.end()) return false;
  const Remote& remote = *it->second;
  return remote.offerable && remote.asked.empty() && !silent_.contains(remote.replica);
}

// ---- Asking

void Dispatch::Ask(Now now, Ride& ride, const NearDriver& candidate) {
  const auto found = remotes_.find(candidate.driver_id);
  HAIL_CHECK(found != remotes_.end());
  Remote& remote = *found->second;
  auto asked = std::make_unique<Asked>();
  asked->offer_id = UuidV7(now.wall, random_);
  asked->driver_id = candidate.driver_id;
  asked->replica = remote.replica;
  asked->start = ride.start;
  asked->deadline = ride.deadline;
  asked->ride_waited = now.domain - ride.started;
  remote.asked = asked->offer_id;
  live_offer_of_ride_[ride.start->ride_id] = asked->offer_id;
  wall_timers_.insert({now.wall + options_.ask_answer_time, {TimerKind::kAsk, asked->offer_id}});
  SendAsk(now, *asked, /*repeated=*/false);
  asked_.emplace(asked->offer_id, std::move(asked));
}

void Dispatch::SendAsk(Now now, const Asked& asked, bool repeated) {
  OfferAsk ask;
  ask.offer_id = asked.offer_id;
  ask.driver_id = asked.driver_id;
  ask.start = asked.start;
  ask.remaining = std::max(absl::ZeroDuration(), asked.deadline - now.domain);
  ask.ride_waited = asked.ride_waited;
  ask.repeated = repeated;
  effects_.ToReplica(asked.replica, ask);
}

void Dispatch::AskAgain(Now now, Asked& asked) {
  if (!asked.heard) {
    // It may be late only.
    silent_.insert(asked.replica);
    if (auto ride = rides_.find(asked.start->ride_id); ride != rides_.end()) {
      ride->second->paused[asked.driver_id] = now.domain + options_.refused_pause;
    }
    WithdrawAsked(now, asked, RevokeReason::kSuperseded);
    return;
  }
  if (std::exchange(asked.waited, true)) {
    asked.unanswered = asked.answered ? 0 : asked.unanswered + 1;
    if (asked.unanswered == options_.asks_unanswered) {
      silent_.insert(asked.replica);
      WithdrawAsked(now, asked, RevokeReason::kSuperseded);
      return;
    }
    asked.answered = false;
    SendAsk(now, asked, /*repeated=*/true);
  }
  wall_timers_.insert({now.wall + options_.ask_interval, {TimerKind::kAsk, asked.offer_id}});
}

void Dispatch::WithdrawAsked(Now now, Asked& asked, RevokeReason reason) {
  effects_.ToReplica(asked.replica, OfferWithdraw{asked.offer_id, reason});
  SettleAsked(now, asked);
}

// Forgets it. The ride, if still dispatched, is due again.
void Dispatch::SettleAsked(Now now, Asked& asked) {
  const std::unique_ptr<Asked> kept = std::move(asked_.extract(asked.offer_id).mapped());
  const std::string& ride_id = kept->start->ride_id;
  if (auto live = live_offer_of_ride_.find(ride_id);
      live != live_offer_of_ride_.end() && live->second == kept->offer_id) {
    live_offer_of_ride_.erase(live);
  }
  if (auto remote = remotes_.find(kept->driver_id);
      remote != remotes_.end() && remote->second->asked == kept->offer_id) {
    remote->second->asked.clear();
  }
  if (auto ride = rides_.find(ride_id); ride != rides_.end() && !live_offer_of_ride_.contains(ride_id)) {
    MakeDue(*ride->second, now.domain);
  }
}

void Dispatch::On(Now now, const std::string& from, const OfferTold& told) {
  auto it = asked_.find(told.offer_id);
  if (it == asked_.end()) {
    // It was given up here: the withdrawal was lost, or overtook what asked for it.
    if (told.status == OfferStatus::kPending) effects_.ToReplica(from, OfferWithdraw{told.offer_id});
    return;
  }
  Asked& asked = *it->second;
  if (asked.replica != from) return;
  asked.heard = asked.answered = true;
  auto found = rides_.find(asked.start->ride_id);
  Ride* ride = found == rides_.end() ? nullptr : found->second.get();
  switch (told.status) {
    case OfferStatus::kPending:
      return;
    case OfferStatus::kConfirming:
      asked.status = OfferStatus::kConfirming;
      return;
    case OfferStatus::kAccepted:
      EndDispatch(now, asked.start->ride_id, asked.start->epoch);
      break;
    case OfferStatus::kDeclined:
    case OfferStatus::kExpired:
      if (ride == nullptr) break;
      ride->excluded.insert(asked.driver_id);
      {
        OfferSettled settled;
        settled.ride_id = asked.start->ride_id;
        settled.epoch = asked.start->epoch;
        settled.driver_id = asked.driver_id;
        settled.outcome = told.status;
        effects_.ToLink(ride->link, settled);
      }
      break;
    case OfferStatus::kRevoked:
      if (told.ending == AskEnding::kDispatchOver) EndDispatch(now, asked.start->ride_id, asked.start->epoch);
      if (ride == nullptr) break;
      if (told.ending == AskEnding::kDriverRefused) ride->excluded.insert(asked.driver_id);
      if (told.ending == AskEnding::kNotReceived) {
        ride->paused[asked.driver_id] = now.domain + options_.unreceived_pause;
      }
      if (told.ending == AskEnding::kNotFree) ride->paused[asked.driver_id] = now.domain + options_.refused_pause;
      break;
  }
  SettleAsked(now, asked);
}

// ---- Being asked

void Dispatch::TellAsker(const Offer& offer) {
  if (offer.asker.empty()) return;
  effects_.ToReplica(offer.asker, OfferTold{offer.offer_id, offer.status, offer.reason, offer.ending});
}

AskEnding Dispatch::WhyNotOffered(Now now, const OfferAsk& ask) const {
  const DispatchStart& start = *ask.start;
  if (ask.repeated) return AskEnding::kUnknown;
  if (auto ended = ended_.find(start.ride_id); ended != ended_.end() && start.epoch <= ended->second.epoch) {
    return AskEnding::kDispatchOver;
  }
  if (auto ride = rides_.find(start.ride_id); ride != rides_.end() && start.epoch <= ride->second->start->epoch) {
    return start.epoch < ride->second->start->epoch ? AskEnding::kDispatchOver : AskEnding::kNotFree;
  }
  const Session* session = FindSession(ask.driver_id);
  if (session == nullptr || !session->offerable || ask.remaining <= absl::ZeroDuration()) return AskEnding::kNotFree;
  const std::optional<Fix> fix = index_.Find(ask.driver_id);
  if (!fix.has_value() || fix->observed < now.domain - options_.position_freshness) return AskEnding::kNotFree;
  if (index_.IsDoubted(ask.driver_id)) return AskEnding::kNotFree;
  // The asker has given up what it asked for before, and whoever dispatched the ride at a lower epoch is behind. An
  // offer that is being confirmed is another matter.
  if (auto live = live_offer_of_ride_.find(start.ride_id); live != live_offer_of_ride_.end()) {
    const auto own = offers_.find(live->second);
    const OfferStatus status = own != offers_.end() ? own->second->status : asked_.at(live->second)->status;
    const std::int64_t epoch = own != offers_.end() ? own->second->start->epoch : asked_.at(live->second)->start->epoch;
    if (status != OfferStatus::kPending || epoch > start.epoch) return AskEnding::kNotFree;
  }
  return AskEnding::kNone;
}

void Dispatch::On(Now now, const std::string& from, const OfferAsk& ask) {
  if (auto known = offers_.find(ask.offer_id); known != offers_.end()) {
    Offer& offer = *known->second;
    if (offer.asker != from) return;
    offer.asked_at = now.wall;
    TellAsker(offer);
    return;
  }
  if (const AskEnding why = WhyNotOffered(now, ask); why != AskEnding::kNone) {
    effects_.ToReplica(from, OfferTold{ask.offer_id, OfferStatus::kRevoked, RevokeReason::kSuperseded, why});
    return;
  }
  const std::string& ride_id = ask.start->ride_id;
  // As its start shows, which may not have been heard.
  if (ask.start->epoch > 1) On(now, from, RideStarted{{ride_id, ask.start->epoch}});
  // What the asker has given up.
  WithdrawPending(now, ride_id, ask.start->epoch + 1, RevokeReason::kSuperseded);
  MakeOffer(now, ask.offer_id, ask.driver_id, *index_.Find(ask.driver_id), ask.start, ask.ride_waited, from);
}

void Dispatch::On(Now now, const std::string& from, const OfferWithdraw& withdraw) {
  auto it = offers_.find(withdraw.offer_id);
  if (it == offers_.end() || it->second->asker != from || it->second->status != OfferStatus::kPending) return;
  Settle(now, *it->second, OfferStatus::kRevoked, withdraw.reason);
}

void Dispatch::On(Now now, const std::string&, const RideStarted& started) {
  auto ride = rides_.find(started.ride_id);
  if (ride != rides_.end() && ride->second->start->epoch < started.epoch) Drop(started.ride_id);
  WithdrawPending(now, started.ride_id, started.epoch, RevokeReason::kSuperseded);
  RememberEnded(now, started.ride_id, started.epoch - 1);
}

}  // namespace hail::driver
