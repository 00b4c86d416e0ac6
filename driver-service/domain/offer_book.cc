#include "driver-service/domain/offer_book.h"

#include <algorithm>
#include <cmath>

#include "common/errors/check.h"
#include "common/errors/error.h"

namespace hail::driver {
namespace {

// Whether `status` is a definite refusal by rider-service. Any error that a network, a proxy or a full queue may cause
// is not: the transaction may have been committed.
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

// Why the ride is not available: STALE_EPOCH and RIDE_NOT_MATCHING name its state.
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

absl::Status NotMadeTo() { return NotFound(Reason::kOfferNotFound, "this driver did not get that offer"); }

}  // namespace

OfferBook::Entry* OfferBook::FindOffer(const std::string& offer_id) const {
  const auto it = offers_.find(offer_id);
  return it == offers_.end() ? nullptr : it->second.get();
}

const Offer* OfferBook::LiveOf(const std::string& driver_id) const {
  const auto it = live_of_driver_.find(driver_id);
  return it == live_of_driver_.end() ? nullptr : it->second;
}

const Offer* OfferBook::LiveOfRide(const std::string& ride_id) const {
  const auto it = live_of_ride_.find(ride_id);
  return it == live_of_ride_.end() ? nullptr : it->second;
}

void OfferBook::Make(Now now, const std::string& offer_id, const std::string& driver_id, const Fix& fix,
                     std::shared_ptr<const DispatchStart> start, absl::Duration ride_waited, const std::string& asker) {
  const TravelEstimate way = travel_times_.Estimate(fix.point, start->pickup, now.domain);
  auto made = std::make_unique<Entry>();
  Entry& offer = *made;
  offer.offer_id = offer_id;
  offer.driver_id = driver_id;
  offer.start = std::move(start);
  offer.made = now.domain;
  offer.expires = now.domain + offer.start->offer_time;
  offer.ride_waited = ride_waited;
  // Truncated like the times shown to people, so that offer, ride and quote agree.
  offer.pickup_eta = absl::Trunc(way.time, absl::Seconds(1));
  offer.pickup_distance_m = way.distance_m;
  offer.asker = asker;
  offer.asked_at = now.wall;

  HAIL_CHECK(offers_.emplace(offer_id, std::move(made)).second);
  HAIL_CHECK(live_of_driver_.emplace(driver_id, &offer).second);
  HAIL_CHECK(live_of_ride_.emplace(offer.start->ride_id, &offer).second);
  expiries_.Add(offer.expires, offer_id);
  receipts_.Add(now.wall + options_.receive_time, offer_id);
  if (!asker.empty()) silent_askers_.Add(now.wall + options_.asker_silence, offer_id);
  sessions_.OnOffer(now, driver_id, &offer, ViewOf(offer, now.domain));
  ReportToAsker(offer);
}

void OfferBook::OfferReceived(Now now, const std::string& driver_id, const std::string& offer_id) {
  Entry* offer = FindOffer(offer_id);
  if (offer == nullptr || offer->driver_id != driver_id) return;
  if (offer->status != OfferStatus::kPending || now.domain >= offer->expires) return;
  offer->received = true;
}

// ---- Answers

void OfferBook::Respond(Now now, const std::string& driver_id, const std::string& offer_id, bool accept,
                        RespondDone done) {
  Entry* known = FindOffer(offer_id);
  if (known == nullptr) {
    const std::int64_t find = ++last_find_;
    finds_[find] = {driver_id, offer_id, accept, std::move(done)};
    effects_.FindAssignment({find, driver_id, offer_id});
    return;
  }
  Entry& offer = *known;
  if (offer.driver_id != driver_id) {
    RespondResult result;
    result.status = NotMadeTo();
    result.state = sessions_.State(now, driver_id);
    done(std::move(result));
    return;
  }
  // An answer shows that the app had the offer, even if its OfferReceived was lost.
  if (offer.status == OfferStatus::kPending) {
    offer.received = true;
    if (now.domain >= offer.expires) {
      Expire(now, offer);
    } else if (accept) {
      Accept(now, offer);
    } else {
      NotTaken(now, offer, OfferStatus::kDeclined);
    }
  }
  if (offer.status == OfferStatus::kConfirming) {
    offer.waiting.emplace_back(accept, std::move(done));
  } else {
    Answer(now, offer, accept, done);
  }
}

void OfferBook::Answer(Now now, const Entry& offer, bool accept, RespondDone& done) {
  RespondResult result;
  result.offer = UpdateOf(offer);
  result.status = AnswerStatus(result.offer, accept);
  result.state = sessions_.State(now, offer.driver_id);
  done(std::move(result));
}

void OfferBook::OnFound(Now now, std::int64_t find, absl::StatusOr<RideView> found,
                        const absl::StatusOr<std::optional<LoggedOffer>>& logged) {
  auto it = finds_.find(find);
  if (it == finds_.end()) return;
  Find asked = std::move(it->second);
  finds_.erase(it);
  RespondResult result;
  result.state = sessions_.State(now, asked.driver_id);
  result.offer.offer_id = asked.offer_id;
  if (found.ok()) {
    result.offer.ride_id = found->ride_id;
    result.offer.status = OfferStatus::kAccepted;
    // Until the feed is caught up, this answer is the only information.
    const SessionRegistry::Session* session = sessions_.Find(asked.driver_id);
    if (result.state.ride == nullptr && found->live && (session == nullptr || !session->synced)) {
      result.state.ride = std::make_shared<const RideView>(*std::move(found));
      result.state.status = DriverStatus::kOnTrip;
      result.state.blocked_by = BlockedBy::kNothing;
    }
  } else if (absl::IsNotFound(found.status()) && logged.ok()) {
    if (!*logged || (*logged)->driver_id != asked.driver_id) {
      result.status = NotMadeTo();
    } else {
      result.offer = {asked.offer_id, (*logged)->ride_id, (*logged)->outcome, (*logged)->reason};
      // rider-service decides about assignments, and it denies this one.
      if (result.offer.status == OfferStatus::kAccepted) result.offer.status = OfferStatus::kExpired;
      result.status = AnswerStatus(result.offer, asked.accept);
    }
  } else {
    result.status = Unavailable(Reason::kPeerUnavailable, "the outcome of the offer is not available now; retry");
  }
  asked.done(std::move(result));
}

// ---- Ends without an assignment

void OfferBook::RevokeOfRide(Now now, const std::string& ride_id, std::int64_t below, RevokeReason reason) {
  const auto it = live_of_ride_.find(ride_id);
  if (it == live_of_ride_.end()) return;
  Entry& offer = *it->second;
  if (offer.status == OfferStatus::kPending && offer.start->epoch < below) {
    Settle(now, offer, OfferStatus::kRevoked, reason);
  }
}

void OfferBook::Revoke(Now now, const Offer& offer, RevokeReason reason) {
  Entry* known = FindOffer(offer.offer_id);
  HAIL_CHECK(known != nullptr && known->status == OfferStatus::kPending);
  Settle(now, *known, OfferStatus::kRevoked, reason);
}

void OfferBook::Expire(Now now, Entry& offer) {
  // When domain time runs fast, an offer can expire before its app had 3 s to show it, which is not the driver's fault.
  if (offer.received) {
    NotTaken(now, offer, OfferStatus::kExpired);
  } else {
    NotReceived(now, offer);
  }
}

void OfferBook::NotTaken(Now now, Entry& offer, OfferStatus outcome) {
  queue_.Exclude(offer.start->ride_id, offer.driver_id);
  // The requesting replica reports its own rides to their link.
  if (offer.asker.empty()) queue_.ReportSettled(*offer.start, offer.driver_id, outcome);
  Settle(now, offer, outcome);
}

void OfferBook::NotReceived(Now now, Entry& offer) {
  queue_.Pause(offer.start->ride_id, offer.driver_id, now.domain + options_.unreceived_pause);
  offer.ending = RemoteOfferRejectReason::kNotReceived;
  Settle(now, offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
}

void OfferBook::Settle(Now now, Entry& offer, OfferStatus status, RevokeReason reason) {
  offer.status = status;
  offer.reason = reason;
  live_of_ride_.erase(offer.start->ride_id);
  live_of_driver_.erase(offer.driver_id);
  queue_.Free(now, offer.start->ride_id);
  sessions_.OnOffer(now, offer.driver_id, nullptr, UpdateOf(offer));
  ReportToAsker(offer);
  effects_.LogOffer(RecordOf(offer, now.domain));
  forget_.Add(now.domain + options_.memory, offer.offer_id);
  auto waiting = std::move(offer.waiting);
  offer.waiting.clear();
  for (auto& [accept, done] : waiting) Answer(now, offer, accept, done);
}

// ---- Confirmation

void OfferBook::Accept(Now now, Entry& offer) {
  offer.status = OfferStatus::kConfirming;
  const SessionRegistry::Session* session = sessions_.Find(offer.driver_id);
  // A pending offer ends with its driver's session.
  HAIL_CHECK(session != nullptr);
  offer.driver = session->driver;
  sessions_.OnOffer(now, offer.driver_id, &offer, UpdateOf(offer));
  ReportToAsker(offer);
  SendConfirm(offer);
}

void OfferBook::SendConfirm(Entry& offer) {
  ++offer.attempts;
  offer.in_flight = true;
  offer.attempt_generation = sessions_.FeedGeneration(offer.driver_id);
  ConfirmCall call;
  call.offer_id = offer.offer_id;
  call.attempt = offer.attempts;
  call.ride_id = offer.start->ride_id;
  call.epoch = offer.start->epoch;
  call.driver = offer.driver;
  // The estimate of the offer: the trip is the same, however long the answer took.
  call.pickup_eta = offer.pickup_eta;
  effects_.Confirm(call);
}

void OfferBook::OnConfirmed(Now now, const std::string& offer_id, int attempt, absl::StatusOr<RideView> result) {
  Entry* known = FindOffer(offer_id);
  if (known == nullptr) return;
  Entry& offer = *known;
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
    confirm_retries_.Add(now.wall + longest * part, offer.offer_id);
  }
}

void OfferBook::Committed(Now now, Entry& offer, RideView ride) {
  queue_.EndDispatch(now, offer.start->ride_id, offer.start->epoch);
  // The reply to a repeated call is the present ride, which may be over. If another replica has the driver's session by
  // now, it learns of the ride from the feed.
  if (ride.live && ride.offer_id == offer.offer_id) {
    sessions_.OnConfirmed(now, offer.driver_id, std::move(ride), offer.attempt_generation);
  }
  Settle(now, offer, OfferStatus::kAccepted);
}

void OfferBook::Refused(Now now, Entry& offer, const absl::Status& status) {
  const Reason reason = DetailsOf(status)->reason;
  const bool driver_at_fault = reason == Reason::kDriverBusy || reason == Reason::kDriverExcluded;
  if (driver_at_fault || status.code() == absl::StatusCode::kInvalidArgument) {
    queue_.Exclude(offer.start->ride_id, offer.driver_id);
    // The driver's rides are not what this process knows.
    if (driver_at_fault) sessions_.Resubscribe(now, offer.driver_id);
    offer.ending = RemoteOfferRejectReason::kDriverRefused;
    Settle(now, offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
    return;
  }
  offer.ending = RemoteOfferRejectReason::kDispatchOver;
  queue_.EndDispatch(now, offer.start->ride_id, offer.start->epoch);
  Settle(now, offer, OfferStatus::kRevoked, ReasonOf(status));
}

void OfferBook::OnAssigned(Now now, const Offer& offer) {
  Entry* known = FindOffer(offer.offer_id);
  HAIL_CHECK(known != nullptr && IsLive(known->status));
  queue_.EndDispatch(now, offer.start->ride_id, offer.start->epoch);
  Settle(now, *known, OfferStatus::kAccepted);
}

// ---- The replica that requested an offer

void OfferBook::ReportToAsker(const Entry& offer) {
  if (offer.asker.empty()) return;
  effects_.ToReplica(offer.asker, RemoteOfferStatus{offer.offer_id, offer.status, offer.reason, offer.ending});
}

bool OfferBook::AskedAgain(Now now, const std::string& asker, const std::string& offer_id) {
  Entry* offer = FindOffer(offer_id);
  if (offer == nullptr) return false;
  if (offer->asker == asker) {
    offer->asked_at = now.wall;
    ReportToAsker(*offer);
  }
  return true;
}

void OfferBook::WithdrawnByAsker(Now now, const std::string& asker, const std::string& offer_id, RevokeReason reason) {
  Entry* offer = FindOffer(offer_id);
  if (offer == nullptr || offer->asker != asker || offer->status != OfferStatus::kPending) return;
  Settle(now, *offer, OfferStatus::kRevoked, reason);
}

// ---- Time

void OfferBook::Tick(Now now) {
  while (const auto offer_id = expiries_.Take(now.domain)) {
    Entry* offer = FindOffer(*offer_id);
    if (offer != nullptr && offer->status == OfferStatus::kPending) Expire(now, *offer);
  }
  while (const auto offer_id = forget_.Take(now.domain)) offers_.erase(*offer_id);
  while (const auto offer_id = receipts_.Take(now.wall)) {
    Entry* offer = FindOffer(*offer_id);
    if (offer != nullptr && offer->status == OfferStatus::kPending && !offer->received) NotReceived(now, *offer);
  }
  while (const auto offer_id = confirm_retries_.Take(now.wall)) {
    Entry* offer = FindOffer(*offer_id);
    if (offer != nullptr && offer->status == OfferStatus::kConfirming && !offer->in_flight) SendConfirm(*offer);
  }
  while (const auto offer_id = silent_askers_.Take(now.wall)) {
    Entry* offer = FindOffer(*offer_id);
    if (offer == nullptr || offer->status != OfferStatus::kPending) continue;
    if (offer->asked_at + options_.asker_silence <= now.wall) {
      Settle(now, *offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
    } else {
      silent_askers_.Add(offer->asked_at + options_.asker_silence, *offer_id);
    }
  }
}

void OfferBook::Count(DispatchCounts& counts) const {
  for (const auto& [ride_id, offer] : live_of_ride_) {
    ++(offer->status == OfferStatus::kPending ? counts.offers_pending : counts.offers_confirming);
  }
}

}  // namespace hail::driver
