#include "driver-service/domain/replica_protocol.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "common/errors/check.h"

namespace hail::driver {

void ReplicaProtocol::OnMessage(Now now, const std::string& from, const ReplicaMessage& message) {
  if (from == options_.replica) return;
  silent_.erase(from);
  std::visit([&](const auto& said) { On(now, from, said); }, message);
}

void ReplicaProtocol::OnClaim(Now now, const SessionClaim& claim) {
  if (claim.replica == options_.replica) {
    sessions_.OnOwnClaim(claim);
  } else {
    On(now, claim.replica, SessionClaimed{claim.driver_id, claim.epoch, claim.by_stream});
  }
}

// ---- Drivers of other replicas

ReplicaProtocol::Remote& ReplicaProtocol::Known(Now now, const std::string& driver_id, const std::string& replica,
                                                std::int64_t epoch) {
  std::unique_ptr<Remote>& slot = remotes_[driver_id];
  if (slot == nullptr) {
    slot = std::make_unique<Remote>();
    slot->review_at = now.wall + options_.session_idle;
    reviews_.Add(slot->review_at, driver_id);
  }
  Remote& remote = *slot;
  remote.last_seen = now.wall;
  if (remote.epoch < epoch) {
    remote.replica = replica;
    remote.epoch = epoch;
    remote.by_stream = false;
    remote.number = 0;
    remote.offerable = false;
    remote.on_map = false;
    remote.car = nullptr;
    index_.SetOnMap(driver_id, false);
    // The earlier owner ends its pending offers, if it still exists.
    WithdrawPending(now, remote.asked);
  }
  return remote;
}

void ReplicaProtocol::OnSessionOpening(Now now, const std::string& driver_id) {
  const auto remote = remotes_.extract(driver_id);
  if (!remote) return;
  index_.SetOnMap(driver_id, false);
  WithdrawPending(now, remote.mapped()->asked);
}

bool ReplicaProtocol::RefuseLateStream(StreamId stream, const std::string& driver_id, std::int64_t epoch) {
  const auto remote = remotes_.find(driver_id);
  if (remote == remotes_.end() || remote->second->epoch <= epoch) return false;
  sessions_.RefuseStream(stream, remote->second->by_stream);
  return true;
}

bool ReplicaProtocol::CanAsk(const std::string& driver_id) const {
  auto it = remotes_.find(driver_id);
  if (it == remotes_.end()) return false;
  const Remote& remote = *it->second;
  return remote.offerable && remote.asked.empty() && !silent_.contains(remote.replica);
}

void ReplicaProtocol::On(Now now, const std::string& from, const SessionClaimed& claimed) {
  const SessionRegistry::Session* session = sessions_.Find(claimed.driver_id);
  if (session != nullptr && claimed.epoch <= session->claim) return;
  sessions_.Lose(now, claimed.driver_id, claimed.epoch, claimed.by_stream);
  // The session has no owner: a change of the driver ended it while its replica did not renew its lease.
  if (from.empty()) return;
  Remote& remote = Known(now, claimed.driver_id, from, claimed.epoch);
  if (remote.epoch == claimed.epoch) remote.by_stream = remote.by_stream || claimed.by_stream;
}

void ReplicaProtocol::On(Now now, const std::string& from, const Presences& presences) {
  for (const DriverPresence& presence : presences.drivers) {
    const std::string& driver_id = presence.driver_id;
    const SessionRegistry::Session* session = sessions_.Find(driver_id);
    // The claim determines how a stream ends, and a presence does not contain it.
    if (session != nullptr && (presence.session_epoch <= session->claim || session->stream != 0)) continue;
    sessions_.Lose(now, driver_id, presence.session_epoch, /*to_stream=*/false);
    Remote& remote = Known(now, driver_id, from, presence.session_epoch);
    if (remote.epoch != presence.session_epoch || presence.number <= remote.number) continue;
    const bool same_car = remote.car != nullptr && presence.car != nullptr && *remote.car == *presence.car;
    if (!same_car) {
      remote.car = presence.car;
      index_.SetCar(driver_id, presence.car);
    }
    remote.number = presence.number;
    if (presence.fix.has_value()) index_.Update(driver_id, *presence.fix);
    remote.offerable = presence.offerable;
    if (std::exchange(remote.on_map, presence.on_map) != presence.on_map) index_.SetOnMap(driver_id, presence.on_map);
  }
}

void ReplicaProtocol::Review(Now now, const std::string& driver_id) {
  const auto it = remotes_.find(driver_id);
  // The driver may have been here meanwhile, and then has another timer.
  if (it == remotes_.end() || now.wall < it->second->review_at) return;
  Remote& remote = *it->second;
  if (remote.asked.empty() && remote.last_seen + options_.session_idle <= now.wall) {
    index_.Remove(driver_id);
    remotes_.erase(it);
    return;
  }
  remote.review_at = std::max(remote.last_seen, now.wall - options_.session_idle / 2) + options_.session_idle;
  reviews_.Add(remote.review_at, driver_id);
}

// ---- Requesting offers

void ReplicaProtocol::Ask(Now now, const MatchQueue::Match& match) {
  const auto found = remotes_.find(match.driver.driver_id);
  HAIL_CHECK(found != remotes_.end());
  Remote& remote = *found->second;
  auto made = std::make_unique<Asked>();
  Asked& asked = *made;
  asked.offer_id = UuidV7(now.wall, random_);
  asked.driver_id = match.driver.driver_id;
  asked.replica = remote.replica;
  asked.start = match.start;
  asked.deadline = match.deadline;
  asked.ride_waited = match.waited;
  remote.asked = asked.offer_id;
  HAIL_CHECK(asked_of_ride_.emplace(match.start->ride_id, &asked).second);
  asked_.emplace(asked.offer_id, std::move(made));
  asks_.Add(now.wall + options_.ask_answer_time, asked.offer_id);
  SendAsk(now, asked, /*repeated=*/false);
}

void ReplicaProtocol::SendAsk(Now now, const Asked& asked, bool repeated) {
  RemoteOfferRequest ask;
  ask.offer_id = asked.offer_id;
  ask.driver_id = asked.driver_id;
  ask.start = asked.start;
  ask.remaining = std::max(absl::ZeroDuration(), asked.deadline - now.domain);
  ask.ride_waited = asked.ride_waited;
  ask.repeated = repeated;
  effects_.ToReplica(asked.replica, ask);
}

void ReplicaProtocol::AskAgain(Now now, Asked& asked) {
  if (!asked.ever_answered) {
    // The answer may only be late.
    silent_.insert(asked.replica);
    queue_.Pause(asked.start->ride_id, asked.driver_id, now.domain + options_.refused_pause);
    Withdraw(now, asked, RevokeReason::kSuperseded);
    return;
  }
  if (std::exchange(asked.waited, true)) {
    asked.unanswered = asked.answered ? 0 : asked.unanswered + 1;
    if (asked.unanswered == options_.asks_unanswered) {
      silent_.insert(asked.replica);
      Withdraw(now, asked, RevokeReason::kSuperseded);
      return;
    }
    asked.answered = false;
    SendAsk(now, asked, /*repeated=*/true);
  }
  asks_.Add(now.wall + options_.ask_interval, asked.offer_id);
}

void ReplicaProtocol::Withdraw(Now now, const Asked& asked, RevokeReason reason) {
  effects_.ToReplica(asked.replica, OfferWithdraw{asked.offer_id, reason});
  Settle(now, asked);
}

void ReplicaProtocol::WithdrawPending(Now now, const std::string& offer_id) {
  const auto asked = asked_.find(offer_id);
  if (asked != asked_.end() && asked->second->status == OfferStatus::kPending) {
    Withdraw(now, *asked->second, RevokeReason::kSuperseded);
  }
}

void ReplicaProtocol::Settle(Now now, const Asked& asked) {
  const std::unique_ptr<Asked> kept = std::move(asked_.extract(asked.offer_id).mapped());
  const std::string& ride_id = kept->start->ride_id;
  asked_of_ride_.erase(ride_id);
  if (auto remote = remotes_.find(kept->driver_id);
      remote != remotes_.end() && remote->second->asked == kept->offer_id) {
    remote->second->asked.clear();
  }
  queue_.Free(now, ride_id);
}

void ReplicaProtocol::On(Now now, const std::string& from, const RemoteOfferStatus& update) {
  auto it = asked_.find(update.offer_id);
  if (it == asked_.end()) {
    // This replica has dropped the offer: its withdrawal was lost, or arrived before the request.
    if (update.status == OfferStatus::kPending) effects_.ToReplica(from, OfferWithdraw{update.offer_id});
    return;
  }
  Asked& asked = *it->second;
  if (asked.replica != from) return;
  asked.ever_answered = asked.answered = true;
  const std::string& ride_id = asked.start->ride_id;
  switch (update.status) {
    case OfferStatus::kPending:
      return;
    case OfferStatus::kConfirming:
      asked.status = OfferStatus::kConfirming;
      return;
    case OfferStatus::kAccepted:
      queue_.EndDispatch(now, ride_id, asked.start->epoch);
      break;
    case OfferStatus::kDeclined:
    case OfferStatus::kExpired:
      queue_.Exclude(ride_id, asked.driver_id);
      queue_.ReportSettled(*asked.start, asked.driver_id, update.status);
      break;
    case OfferStatus::kRevoked:
      if (update.ending == RemoteOfferRejectReason::kDispatchOver) queue_.EndDispatch(now, ride_id, asked.start->epoch);
      if (update.ending == RemoteOfferRejectReason::kDriverRefused) queue_.Exclude(ride_id, asked.driver_id);
      if (update.ending == RemoteOfferRejectReason::kNotReceived) {
        queue_.Pause(ride_id, asked.driver_id, now.domain + options_.unreceived_pause);
      }
      if (update.ending == RemoteOfferRejectReason::kNotFree) {
        queue_.Pause(ride_id, asked.driver_id, now.domain + options_.refused_pause);
      }
      break;
  }
  Settle(now, asked);
}

// ---- Rides

void ReplicaProtocol::RevokePending(Now now, const std::string& ride_id, std::int64_t below, RevokeReason reason) {
  const auto it = asked_of_ride_.find(ride_id);
  if (it == asked_of_ride_.end()) return offers_.RevokeOfRide(now, ride_id, below, reason);
  const Asked& asked = *it->second;
  if (asked.status == OfferStatus::kPending && asked.start->epoch < below) Withdraw(now, asked, reason);
}

bool ReplicaProtocol::HasLiveOffer(const std::string& ride_id) const {
  return asked_of_ride_.contains(ride_id) || offers_.LiveOfRide(ride_id) != nullptr;
}

void ReplicaProtocol::AnnounceStart(const DispatchStart& start) {
  if (start.epoch > 1) effects_.ToReplicas(RideStarted{{start.ride_id, start.epoch}});
}

void ReplicaProtocol::On(Now now, const std::string&, const RideStarted& started) {
  queue_.EndDispatch(now, started.ride_id, started.epoch - 1);
  RevokePending(now, started.ride_id, started.epoch, RevokeReason::kSuperseded);
}

// ---- Offers requested by other replicas

RemoteOfferRejectReason ReplicaProtocol::WhyNotOffered(Now now, const RemoteOfferRequest& ask) const {
  const DispatchStart& start = *ask.start;
  if (ask.repeated) return RemoteOfferRejectReason::kUnknown;
  if (queue_.IsOver(start.ride_id, start.epoch)) return RemoteOfferRejectReason::kDispatchOver;
  if (const auto present = queue_.EpochOf(start.ride_id); present.has_value() && start.epoch <= *present) {
    return start.epoch < *present ? RemoteOfferRejectReason::kDispatchOver : RemoteOfferRejectReason::kNotFree;
  }
  const SessionRegistry::Session* session = sessions_.Find(ask.driver_id);
  if (session == nullptr || !session->offerable || ask.remaining <= absl::ZeroDuration())
    return RemoteOfferRejectReason::kNotFree;
  const std::optional<Fix> fix = index_.Find(ask.driver_id);
  if (!fix.has_value() || fix->observed < now.domain - options_.position_freshness)
    return RemoteOfferRejectReason::kNotFree;
  if (index_.IsDoubted(ask.driver_id)) return RemoteOfferRejectReason::kNotFree;
  // Pending offers at the same or a lower epoch do not block: the asker has dropped its earlier requests, and a replica
  // that dispatched the ride at a lower epoch is behind. An offer in confirmation does block.
  const auto blocks = [&start](OfferStatus status, std::int64_t epoch) {
    return status != OfferStatus::kPending || epoch > start.epoch;
  };
  const auto asked = asked_of_ride_.find(start.ride_id);
  if (asked != asked_of_ride_.end() && blocks(asked->second->status, asked->second->start->epoch)) {
    return RemoteOfferRejectReason::kNotFree;
  }
  const Offer* own = offers_.LiveOfRide(start.ride_id);
  if (own != nullptr && blocks(own->status, own->start->epoch)) return RemoteOfferRejectReason::kNotFree;
  return RemoteOfferRejectReason::kNone;
}

void ReplicaProtocol::On(Now now, const std::string& from, const RemoteOfferRequest& ask) {
  if (offers_.AskedAgain(now, from, ask.offer_id)) return;
  if (const RemoteOfferRejectReason why = WhyNotOffered(now, ask); why != RemoteOfferRejectReason::kNone) {
    effects_.ToReplica(from, RemoteOfferStatus{ask.offer_id, OfferStatus::kRevoked, RevokeReason::kSuperseded, why});
    return;
  }
  const std::string& ride_id = ask.start->ride_id;
  // Implied by the request; the RideStarted message may have been lost.
  if (ask.start->epoch > 1) On(now, from, RideStarted{{ride_id, ask.start->epoch}});
  // Offers that the asker has dropped.
  RevokePending(now, ride_id, ask.start->epoch + 1, RevokeReason::kSuperseded);
  offers_.Make(now, ask.offer_id, ask.driver_id, *index_.Find(ask.driver_id), ask.start, ask.ride_waited, from);
}

void ReplicaProtocol::On(Now now, const std::string& from, const OfferWithdraw& withdraw) {
  offers_.WithdrawnByAsker(now, from, withdraw.offer_id, withdraw.reason);
}

// ---- Time

void ReplicaProtocol::Tick(Now now) {
  while (const auto offer_id = asks_.Take(now.wall)) {
    if (auto asked = asked_.find(*offer_id); asked != asked_.end()) AskAgain(now, *asked->second);
  }
  while (const auto driver_id = reviews_.Take(now.wall)) Review(now, *driver_id);
}

}  // namespace hail::driver
