// Construction, time, and the rides being dispatched for each link.
#include "driver-service/domain/dispatch.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "common/errors/check.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/dispatch_state.h"

namespace hail::driver {

Dispatch::Dispatch(DispatchOptions options, LocationIndex& index, const TravelTimes& travel_times,
                   const Matcher& matcher, RandomBits random, Effects& effects)
    : options_(options),
      index_(index),
      travel_times_(travel_times),
      matcher_(matcher),
      random_(std::move(random)),
      effects_(effects) {}

Dispatch::~Dispatch() = default;

// ---- Links

void Dispatch::LinkUp(Now now, LinkId link) {
  if (!links_.insert(link).second) return;
  wall_timers_.insert({now.wall + options_.working_set_interval, {TimerKind::kWorkingSet, "", link}});
}

void Dispatch::LinkDown(Now now, LinkId link) {
  if (links_.erase(link) == 0) return;
  std::vector<std::string> dropped;
  for (const auto& [id, ride] : rides_) {
    if (ride->link == link) dropped.push_back(id);
  }
  for (const std::string& id : dropped) {
    const std::int64_t epoch = rides_.at(id)->start->epoch;
    Drop(id);
    WithdrawPending(now, id, epoch + 1, RevokeReason::kSuperseded);
  }
  Pump(now);
}

void Dispatch::Start(Now now, LinkId link, std::shared_ptr<const DispatchStart> start) {
  if (!links_.contains(link)) return;
  const std::string ride_id = start->ride_id;
  const std::int64_t epoch = start->epoch;
  DispatchStarted started;
  started.ride_id = ride_id;
  started.epoch = epoch;

  auto ended = ended_.find(ride_id);
  if (ended != ended_.end() && epoch <= ended->second.epoch) {
    // Crossed with the end of this very dispatch. The acknowledgement stops the resending.
    if (epoch == ended->second.epoch) effects_.ToLink(link, started);
    return;
  }
  std::set<std::string> excluded(start->excluded_driver_ids.begin(), start->excluded_driver_ids.end());
  if (auto it = rides_.find(ride_id); it != rides_.end()) {
    Ride& known = *it->second;
    if (epoch < known.start->epoch) return;
    if (epoch == known.start->epoch) {
      known.link = link;
      known.excluded.merge(excluded);
      effects_.ToLink(link, started);
      return;
    }
    // Who declined it before is not asked again, whatever has come round to rider-service.
    excluded.merge(known.excluded);
    Drop(ride_id);
  }
  // Of an earlier dispatch, here or at the replica that dispatched it.
  WithdrawPending(now, ride_id, epoch, RevokeReason::kSuperseded);
  if (epoch > 1) effects_.ToReplicas(RideStarted{{ride_id, epoch}});
  auto ride = std::make_unique<Ride>();
  ride->link = link;
  ride->started = now.domain;
  ride->deadline = now.domain + start->remaining;
  ride->excluded = std::move(excluded);
  ride->start = std::move(start);
  effects_.ToLink(link, started);
  Ride& taken_on = *(rides_[ride_id] = std::move(ride));
  // One whose confirmation at an older epoch is not settled yet waits for that.
  if (!live_offer_of_ride_.contains(ride_id)) MakeDue(taken_on, now.domain);
  Pump(now);
}

void Dispatch::Stop(Now now, LinkId link, const std::string& ride_id, std::int64_t epoch, StopReason reason) {
  if (!links_.contains(link)) return;
  auto it = rides_.find(ride_id);
  if (it != rides_.end() && it->second->start->epoch > epoch) return;
  if (reason != StopReason::kSuperseded) RememberEnded(now, ride_id, epoch);
  if (it == rides_.end()) return;
  Drop(ride_id);
  // One that is being confirmed is settled by rider-service's answer: what stopped the dispatch may be that very offer.
  WithdrawPending(now, ride_id, epoch + 1,
                  reason == StopReason::kTaken          ? RevokeReason::kTaken
                  : reason == StopReason::kRideCanceled ? RevokeReason::kRideCanceled
                                                        : RevokeReason::kSuperseded);
  Pump(now);
}

// ---- Rides

void Dispatch::WithdrawPending(Now now, const std::string& ride_id, std::int64_t below, RevokeReason reason) {
  auto it = live_offer_of_ride_.find(ride_id);
  if (it == live_offer_of_ride_.end()) return;
  if (auto asked = asked_.find(it->second); asked != asked_.end()) {
    Asked& offer = *asked->second;
    if (offer.status == OfferStatus::kPending && offer.start->epoch < below) WithdrawAsked(now, offer, reason);
    return;
  }
  Offer& offer = OfferOf(it->second);
  if (offer.status == OfferStatus::kPending && offer.start->epoch < below) {
    Settle(now, offer, OfferStatus::kRevoked, reason);
  }
}

void Dispatch::Drop(const std::string& ride_id) {
  auto it = rides_.find(ride_id);
  HAIL_CHECK(it != rides_.end());
  due_.erase({it->second->next_look, ride_id});
  rides_.erase(it);
}

// The ride at `epoch` needs no driver any more, as rider-service said.
void Dispatch::EndDispatch(Now now, const std::string& ride_id, std::int64_t epoch) {
  if (auto it = rides_.find(ride_id); it != rides_.end() && it->second->start->epoch <= epoch) Drop(ride_id);
  RememberEnded(now, ride_id, epoch);
}

void Dispatch::RememberEnded(Now now, const std::string& ride_id, std::int64_t epoch) {
  Ended& ended = ended_[ride_id];
  ended.epoch = std::max(ended.epoch, epoch);
  ended.until = now.domain + options_.memory;
  domain_timers_.insert({ended.until, {TimerKind::kForgetEnded, ride_id}});
}

void Dispatch::MakeDue(Ride& ride, absl::Time when) {
  due_.erase({ride.next_look, ride.start->ride_id});
  ride.next_look = when;
  due_.insert({when, ride.start->ride_id});
}

double Dispatch::RadiusM(Now now, const Ride& ride) const {
  const double steps = std::floor(absl::FDivDuration(now.domain - ride.started, options_.radius_step));
  return std::min(options_.radius_max_m, options_.radius_start_m * std::pow(options_.radius_factor, steps));
}

void Dispatch::Pump(Now now) {
  std::vector<Ride*> looking;
  while (!due_.empty() && due_.begin()->first <= now.domain && looking.size() < options_.most_matched_at_once) {
    const auto due = rides_.find(due_.begin()->second);
    HAIL_CHECK(due != rides_.end());
    Ride& ride = *due->second;
    due_.erase(due_.begin());
    ride.next_look = absl::InfiniteFuture();
    if (now.domain < ride.deadline) {
      looking.push_back(&ride);
      continue;
    }
    // It is due, so its last offer has settled.
    DispatchExhausted exhausted;
    exhausted.ride_id = ride.start->ride_id;
    exhausted.epoch = ride.start->epoch;
    effects_.ToLink(ride.link, exhausted);
    rides_.erase(exhausted.ride_id);
  }
  if (looking.empty()) return;
  // Who has waited longest chooses first.
  std::sort(looking.begin(), looking.end(), [](const Ride* a, const Ride* b) {
    return std::tie(a->started, a->start->ride_id) < std::tie(b->started, b->start->ride_id);
  });

  const CarSearch search(index_, options_.position_freshness, options_.radius_max_m);
  std::vector<WaitingRide> waiting;
  waiting.reserve(looking.size());
  for (const Ride* ride : looking) {
    const double radius_m = RadiusM(now, *ride);
    auto accept = [this, now, ride](const std::string& driver_id) {
      if (ride->excluded.contains(driver_id)) return false;
      if (auto paused = ride->paused.find(driver_id); paused != ride->paused.end() && now.domain < paused->second) {
        return false;
      }
      const Session* session = FindSession(driver_id);
      return session != nullptr ? session->offerable : CanAsk(driver_id);
    };
    auto candidates = [now, ride, radius_m, search, accept](std::size_t limit) {
      const DispatchStart& start = *ride->start;
      return search.Nearest(now.domain, {start.pickup, start.region_id, start.product_id, start.seats}, radius_m, limit,
                            accept);
    };
    auto pickup_times = [this, now, ride](const std::vector<NearDriver>& drivers) {
      std::vector<LatLng> places;
      places.reserve(drivers.size());
      for (const NearDriver& driver : drivers) places.push_back(driver.fix.point);
      std::vector<absl::Duration> times;
      times.reserve(drivers.size());
      for (const TravelEstimate& way : travel_times_.EstimateTo(places, ride->start->pickup, now.domain)) {
        times.push_back(way.time);
      }
      return times;
    };
    waiting.push_back(
        {ride->start->ride_id, ride->start->pickup, radius_m, candidates, pickup_times, now.domain - ride->started});
  }
  std::vector<bool> offered(looking.size(), false);
  for (const Proposal& proposal : matcher_.Match(waiting)) {
    offered[proposal.ride] = true;
    Ride& ride = *looking[proposal.ride];
    const NearDriver& driver = proposal.driver;
    if (FindSession(driver.driver_id) == nullptr) {
      Ask(now, ride, driver);
    } else {
      MakeOffer(now, UuidV7(now.wall, random_), driver.driver_id, driver.fix, ride.start, now.domain - ride.started,
                "");
    }
  }
  const absl::Time again =
      now.domain + options_.rematch_interval - (now.domain - absl::UnixEpoch()) % options_.rematch_interval;
  for (std::size_t i = 0; i < looking.size(); ++i) {
    if (!offered[i]) MakeDue(*looking[i], std::min(looking[i]->deadline, again));
  }
}

// ---- Time

void Dispatch::Tick(Now now) {
  // Taken off before waking: what is woken may set timers.
  while (!domain_timers_.empty() && domain_timers_.begin()->first <= now.domain) {
    const Timer timer = std::move(domain_timers_.extract(domain_timers_.begin()).mapped());
    Wake(now, timer);
  }
  while (!wall_timers_.empty() && wall_timers_.begin()->first <= now.wall) {
    const Timer timer = std::move(wall_timers_.extract(wall_timers_.begin()).mapped());
    Wake(now, timer);
  }
  Pump(now);
  TellStates(now);
}

void Dispatch::Wake(Now now, const Timer& timer) {
  auto offer_it = offers_.find(timer.id);
  Offer* offer = offer_it == offers_.end() ? nullptr : offer_it->second.get();
  switch (timer.kind) {
    case TimerKind::kOfferExpiry:
      if (offer != nullptr && offer->status == OfferStatus::kPending) Expire(now, *offer);
      return;
    case TimerKind::kReceive:
      if (offer != nullptr && offer->status == OfferStatus::kPending && !offer->received) NotReceived(now, *offer);
      return;
    case TimerKind::kConfirmRetry:
      if (offer != nullptr && offer->status == OfferStatus::kConfirming && !offer->in_flight) SendConfirm(*offer);
      return;
    case TimerKind::kForgetOffer:
      if (offer != nullptr) offers_.erase(offer_it);
      return;
    case TimerKind::kForgetEnded:
      if (auto ended = ended_.find(timer.id); ended != ended_.end() && ended->second.until <= now.domain) {
        ended_.erase(ended);
      }
      return;
    case TimerKind::kFeedAnswer:
      if (Session* session = FindSession(timer.id); session != nullptr && feed_up_ && !session->synced &&
                                                    session->subscribed_at + options_.feed_answer_time <= now.wall) {
        Subscribe(now, *session);
      }
      return;
    case TimerKind::kReview:
      Review(now, timer.id);
      return;
    case TimerKind::kWorkingSet: {
      if (!links_.contains(timer.link)) return;
      WorkingSet set;
      for (const auto& [id, ride] : rides_) {
        if (ride->link == timer.link) set.rides.push_back({id, ride->start->epoch});
      }
      effects_.ToLink(timer.link, set);
      wall_timers_.insert({now.wall + options_.working_set_interval, timer});
      return;
    }
    case TimerKind::kStaleAgain:
      if (Session* session = FindSession(timer.id); session != nullptr) {
        session->stale_again = false;
        MayHaveChanged(*session);
      }
      return;
    case TimerKind::kFreshAgain:
      if (Session* session = FindSession(timer.id); session != nullptr) {
        session->fresh_again = false;
        MayHaveChanged(*session);
      }
      return;
    case TimerKind::kAsk:
      if (auto asked = asked_.find(timer.id); asked != asked_.end()) AskAgain(now, *asked->second);
      return;
    case TimerKind::kAskerGone:
      if (offer == nullptr || offer->status != OfferStatus::kPending) return;
      if (offer->asked_at + options_.asker_silence <= now.wall) {
        Settle(now, *offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
      } else {
        wall_timers_.insert({offer->asked_at + options_.asker_silence, timer});
      }
      return;
    case TimerKind::kForgetRemote: {
      auto it = remotes_.find(timer.id);
      // Of one that was here meanwhile there may be another timer.
      if (it == remotes_.end() || now.wall < it->second->review_at) return;
      Remote& remote = *it->second;
      if (remote.asked.empty() && remote.heard + options_.session_idle <= now.wall) {
        index_.Remove(timer.id);
        remotes_.erase(it);
        return;
      }
      remote.review_at = std::max(remote.heard, now.wall - options_.session_idle / 2) + options_.session_idle;
      wall_timers_.insert({remote.review_at, timer});
      return;
    }
  }
}

DispatchCounts Dispatch::Counts(Now now) const {
  DispatchTally tally;
  CountOn(now, tally, sessions_.size());
  return tally.counts;
}

bool Dispatch::CountOn(Now now, DispatchTally& tally, std::size_t most) const {
  DispatchCounts& counts = tally.counts;
  auto next = sessions_.upper_bound(tally.after);
  for (; next != sessions_.end() && most > 0; ++next, --most) {
    const Session& session = *next->second;
    BlockedBy blocked_by;
    ++counts.drivers[static_cast<std::size_t>(StatusOf(now, session, blocked_by))];
    if (session.stream != 0) ++counts.streams;
    tally.after = next->first;
  }
  if (next != sessions_.end()) return false;
  counts.rides = static_cast<int>(rides_.size());
  for (const auto& [ride, offer] : live_offer_of_ride_) {
    // Its owner counts it.
    if (asked_.contains(offer)) continue;
    ++(OfferOf(offer).status == OfferStatus::kPending ? counts.offers_pending : counts.offers_confirming);
  }
  return true;
}

}  // namespace hail::driver
