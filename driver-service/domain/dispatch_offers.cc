// Offers from the making to the end, and the confirmation of accepted ones.
#include <algorithm>
#include <cmath>

#include "common/errors/error.h"
#include "driver-service/domain/dispatch_state.h"

namespace hail::driver {
namespace {

// Whether `status` says for certain that rider-service refused. Anything that a network, a proxy or a full queue can
// say does not: the transaction may have been committed all the same.
bool IsDefinite(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kInvalidArgument:
      return DetailsOf(status).has_value();
    default:
      return false;
  }
}

// Why the ride cannot be had: STALE_EPOCH and RIDE_NOT_MATCHING name the state it is in.
RevokeReason ReasonOf(const absl::Status& status) {
  const ErrorDetails details = DetailsOf(status).value_or(ErrorDetails{});
  if (details.reason != Reason::kRideNotMatching && details.reason != Reason::kStaleEpoch) {
    return RevokeReason::kSuperseded;
  }
  auto state = details.metadata.find("state");
  if (state == details.metadata.end() || state->second == "MATCHING" || state->second == "NO_DRIVERS_AVAILABLE") {
    return RevokeReason::kSuperseded;
  }
  return state->second == "CANCELED" ? RevokeReason::kRideCanceled : RevokeReason::kTaken;
}

absl::Status NotMadeTo() { return NotFound(Reason::kOfferNotFound, "this driver was not made that offer"); }

OfferUpdate UpdateOf(const std::string& offer_id, const std::string& ride_id, OfferStatus status, RevokeReason reason) {
  return {offer_id, ride_id, status, reason};
}

}  // namespace

void Dispatch::MakeOffer(Now now, const std::string& offer_id, const std::string& driver_id, const Fix& fix,
                         std::shared_ptr<const DispatchStart> start, absl::Duration ride_waited,
                         const std::string& asker) {
  Session& session = SessionOf(driver_id);
  const TravelEstimate way = travel_times_.Estimate(fix.point, start->pickup, now.domain);
  auto offer = std::make_unique<Offer>();
  offer->offer_id = offer_id;
  offer->driver_id = driver_id;
  offer->start = std::move(start);
  offer->made = now.domain;
  offer->expires = now.domain + offer->start->offer_time;
  offer->ride_waited = ride_waited;
  // As people are shown it, so that offer, ride and quote say the same.
  offer->pickup_eta = absl::Trunc(way.time, absl::Seconds(1));
  offer->pickup_distance_m = way.distance_m;
  offer->asker = asker;
  offer->asked_at = now.wall;

  session.live_offer = offer->offer_id;
  live_offer_of_ride_[offer->start->ride_id] = offer->offer_id;
  UpdateOfferable(now, session);
  domain_timers_.insert({offer->expires, {TimerKind::kOfferExpiry, offer->offer_id}});
  wall_timers_.insert({now.wall + options_.receive_time, {TimerKind::kReceive, offer->offer_id}});
  if (!asker.empty())
    wall_timers_.insert({now.wall + options_.asker_silence, {TimerKind::kAskerGone, offer->offer_id}});
  Send(session, View(now, *offer));
  TellAsker(*offer);
  offers_.emplace(offer->offer_id, std::move(offer));
}

OfferView Dispatch::View(Now now, const Offer& offer) const {
  OfferView view;
  view.offer_id = offer.offer_id;
  view.start = offer.start;
  view.status = offer.status;
  if (offer.status == OfferStatus::kPending) {
    view.remaining = std::max(absl::ZeroDuration(), offer.expires - now.domain);
  }
  view.pickup_eta = offer.pickup_eta;
  view.pickup_distance_m = offer.pickup_distance_m;
  return view;
}

void Dispatch::OfferReceived(Now now, const std::string& driver_id, const std::string& offer_id) {
  auto it = offers_.find(offer_id);
  if (it == offers_.end() || it->second->driver_id != driver_id) return;
  Offer& offer = *it->second;
  if (offer.status != OfferStatus::kPending || now.domain >= offer.expires) return;
  offer.received = true;
}

void Dispatch::Respond(Now now, const std::string& driver_id, const std::string& offer_id, bool accept,
                       RespondDone done) {
  auto it = offers_.find(offer_id);
  if (it == offers_.end()) {
    const std::int64_t find = ++last_find_;
    finds_[find] = {driver_id, offer_id, accept, std::move(done)};
    effects_.FindAssignment({find, driver_id, offer_id});
    return;
  }
  Offer& offer = *it->second;
  if (offer.driver_id != driver_id) {
    RespondResult result;
    result.status = NotMadeTo();
    result.state = State(now, driver_id);
    done(std::move(result));
    return;
  }
  // An answer shows that the app had the offer, whatever became of its OfferReceived.
  if (offer.status == OfferStatus::kPending) {
    offer.received = true;
    if (now.domain >= offer.expires) {
      Expire(now, offer);
    } else if (accept) {
      Accept(offer);
    } else {
      NotTaken(now, offer, OfferStatus::kDeclined);
    }
  }
  if (offer.status == OfferStatus::kConfirming) {
    offer.waiting.emplace_back(accept, std::move(done));
  } else {
    Answer(now, offer, accept, done);
  }
  Pump(now);
}

void Dispatch::Answer(Now now, const Offer& offer, bool accept, RespondDone& done) {
  RespondResult result;
  result.offer = UpdateOf(offer.offer_id, offer.start->ride_id, offer.status, offer.reason);
  result.status = AnswerStatus(result.offer, accept);
  result.state = State(now, offer.driver_id);
  done(std::move(result));
}

void Dispatch::OnFound(Now now, std::int64_t find, absl::StatusOr<RideView> found,
                       const absl::StatusOr<std::optional<LoggedOffer>>& logged) {
  auto it = finds_.find(find);
  if (it == finds_.end()) return;
  Find asked = std::move(it->second);
  finds_.erase(it);
  RespondResult result;
  result.state = State(now, asked.driver_id);
  result.offer.offer_id = asked.offer_id;
  if (found.ok()) {
    result.offer.ride_id = found->ride_id;
    result.offer.status = OfferStatus::kAccepted;
    // Where the feed has not spoken yet this is all that is known.
    const Session* session = FindSession(asked.driver_id);
    if (result.state.ride == nullptr && found->live && (session == nullptr || !session->synced)) {
      result.state.ride = std::make_shared<const RideView>(*std::move(found));
      result.state.status = DriverStatus::kOnTrip;
      result.state.blocked_by = BlockedBy::kNothing;
    }
  } else if (absl::IsNotFound(found.status()) && logged.ok()) {
    if (!*logged || (*logged)->driver_id != asked.driver_id) {
      result.status = NotMadeTo();
    } else {
      result.offer = UpdateOf(asked.offer_id, (*logged)->ride_id, (*logged)->outcome, (*logged)->reason);
      // Whose rides are whose, rider-service says: it denies the assignment.
      if (result.offer.status == OfferStatus::kAccepted) result.offer.status = OfferStatus::kExpired;
      result.status = AnswerStatus(result.offer, asked.accept);
    }
  } else {
    result.status = Unavailable(Reason::kPeerUnavailable, "what became of the offer cannot be found out now; retry");
  }
  asked.done(std::move(result));
}

// ---- Ends without an assignment

void Dispatch::Expire(Now now, Offer& offer) {
  // With domain time running fast an offer can be over before its app had 3 s to show it: no fault of the driver's.
  if (offer.received) {
    NotTaken(now, offer, OfferStatus::kExpired);
  } else {
    NotReceived(now, offer);
  }
}

void Dispatch::NotTaken(Now now, Offer& offer, OfferStatus outcome) {
  if (auto ride = rides_.find(offer.start->ride_id); ride != rides_.end()) {
    ride->second->excluded.insert(offer.driver_id);
    OfferSettled settled;
    settled.ride_id = offer.start->ride_id;
    settled.epoch = offer.start->epoch;
    settled.driver_id = offer.driver_id;
    settled.outcome = outcome;
    // Of another replica's ride its own link is told, by that replica.
    if (offer.asker.empty()) effects_.ToLink(ride->second->link, settled);
  }
  Settle(now, offer, outcome);
}

void Dispatch::NotReceived(Now now, Offer& offer) {
  if (auto ride = rides_.find(offer.start->ride_id); ride != rides_.end()) {
    ride->second->paused[offer.driver_id] = now.domain + options_.unreceived_pause;
  }
  offer.ending = AskEnding::kNotReceived;
  Settle(now, offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
}

void Dispatch::Settle(Now now, Offer& offer, OfferStatus status, RevokeReason reason) {
  offer.status = status;
  offer.reason = reason;
  live_offer_of_ride_.erase(offer.start->ride_id);
  if (auto ride = rides_.find(offer.start->ride_id); ride != rides_.end()) MakeDue(*ride->second, now.domain);
  if (Session* session = FindSession(offer.driver_id); session != nullptr) {
    session->live_offer.clear();
    UpdateOfferable(now, *session);
    Send(*session, UpdateOf(offer.offer_id, offer.start->ride_id, status, reason));
  }

  TellAsker(offer);
  if (auto orphan = orphans_.find(offer.driver_id); orphan != orphans_.end() && orphan->second == offer.offer_id) {
    orphans_.erase(orphan);
  }

  OfferRecord record;
  record.offer_id = offer.offer_id;
  record.ride_id = offer.start->ride_id;
  record.epoch = offer.start->epoch;
  record.driver_id = offer.driver_id;
  record.outcome = status;
  record.reason = reason;
  record.made_time = offer.made;
  record.settled_time = now.domain;
  record.ride_waited = offer.ride_waited;
  record.pickup_eta = offer.pickup_eta;
  record.pickup_distance_m = offer.pickup_distance_m;
  record.received = offer.received;
  effects_.LogOffer(record);

  domain_timers_.insert({now.domain + options_.memory, {TimerKind::kForgetOffer, offer.offer_id}});
  auto waiting = std::move(offer.waiting);
  offer.waiting.clear();
  for (auto& [accept, done] : waiting) Answer(now, offer, accept, done);
}

// ---- Confirmation

void Dispatch::Accept(Offer& offer) {
  offer.status = OfferStatus::kConfirming;
  Session& session = SessionOf(offer.driver_id);
  offer.driver = session.driver;
  Send(session, UpdateOf(offer.offer_id, offer.start->ride_id, OfferStatus::kConfirming, RevokeReason::kNone));
  MayHaveChanged(session);
  TellAsker(offer);
  SendConfirm(offer);
}

void Dispatch::SendConfirm(Offer& offer) {
  const Session* session = FindSession(offer.driver_id);
  ++offer.attempts;
  offer.in_flight = true;
  offer.attempt_generation = session != nullptr && session->synced ? session->feed_generation : -1;
  ConfirmCall call;
  call.offer_id = offer.offer_id;
  call.attempt = offer.attempts;
  call.ride_id = offer.start->ride_id;
  call.epoch = offer.start->epoch;
  call.driver = offer.driver;
  // It was an estimate as of the offer: the way is the same, whatever time the answer took.
  call.pickup_eta = offer.pickup_eta;
  effects_.Confirm(call);
}

void Dispatch::OnConfirmed(Now now, const std::string& offer_id, int attempt, absl::StatusOr<RideView> result) {
  auto it = offers_.find(offer_id);
  if (it == offers_.end()) return;
  Offer& offer = *it->second;
  if (offer.status != OfferStatus::kConfirming || !offer.in_flight || attempt != offer.attempts) return;
  offer.in_flight = false;
  if (result.ok()) {
    Committed(now, offer, *std::move(result));
  } else if (IsDefinite(result.status())) {
    Refused(now, offer, result.status());
  } else {
    const absl::Duration longest = std::min(options_.confirm_retry_last,
                                            options_.confirm_retry_first * std::exp2(std::min(offer.attempts - 1, 20)));
    const double part = 0.5 + 0.5 * static_cast<double>(random_() >> 11) * 0x1p-53;
    wall_timers_.insert({now.wall + longest * part, {TimerKind::kConfirmRetry, offer.offer_id}});
  }
  Pump(now);
}

void Dispatch::Committed(Now now, Offer& offer, RideView ride) {
  EndDispatch(now, offer.start->ride_id, offer.start->epoch);
  // None: the replica that has the driver now learns it from the feed. The committed one's replay is answered with the
  // present ride: it may be over by now.
  if (Session* session = FindSession(offer.driver_id);
      session != nullptr && ride.live && ride.offer_id == offer.offer_id) {
    const bool as_new_as_feed = session->synced && offer.attempt_generation == session->feed_generation;
    const bool another = session->ride != nullptr && session->ride->ride_id != ride.ride_id;
    session->unverified_ride = ride.ride_id;
    SetRide(now, *session, std::make_shared<const RideView>(std::move(ride)));
    // Otherwise the ride's end may have been told before this reply came in.
    if (!as_new_as_feed || another) Subscribe(now, *session);
  }
  Settle(now, offer, OfferStatus::kAccepted);
}

void Dispatch::Refused(Now now, Offer& offer, const absl::Status& status) {
  const Reason reason = DetailsOf(status)->reason;
  const bool driver_at_fault = reason == Reason::kDriverBusy || reason == Reason::kDriverExcluded;
  if (driver_at_fault || status.code() == absl::StatusCode::kInvalidArgument) {
    if (auto ride = rides_.find(offer.start->ride_id); ride != rides_.end())
      ride->second->excluded.insert(offer.driver_id);
    // What is known here of the driver's rides is wrong.
    if (Session* session = FindSession(offer.driver_id); session != nullptr && driver_at_fault) {
      Subscribe(now, *session);
    }
    offer.ending = AskEnding::kDriverRefused;
    Settle(now, offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
    return;
  }
  offer.ending = AskEnding::kDispatchOver;
  EndDispatch(now, offer.start->ride_id, offer.start->epoch);
  Settle(now, offer, OfferStatus::kRevoked, ReasonOf(status));
}

}  // namespace hail::driver
