#include "driver-service/domain/match_queue.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "common/errors/check.h"
#include "driver-service/domain/car_search.h"

namespace hail::driver {

// ---- Links

void MatchQueue::LinkUp(Now now, LinkId link) {
  if (!links_.insert(link).second) return;
  working_sets_.Add(now.wall + options_.working_set_interval, link);
}

std::vector<RideEpoch> MatchQueue::LinkDown(LinkId link) {
  std::vector<RideEpoch> dropped;
  if (links_.erase(link) == 0) return dropped;
  for (const auto& [id, ride] : rides_) {
    if (ride->link == link) dropped.push_back({id, ride->start->epoch});
  }
  for (const RideEpoch& ride : dropped) Drop(ride.ride_id);
  return dropped;
}

bool MatchQueue::IsNew(LinkId link, const DispatchStart& start) {
  if (!links_.contains(link)) return false;
  const DispatchStarted started{{start.ride_id, start.epoch}};
  if (auto ended = ended_.find(start.ride_id); ended != ended_.end() && start.epoch <= ended->second.epoch) {
    // The start crossed the end of this same dispatch. The acknowledgement stops the repetition.
    if (start.epoch == ended->second.epoch) effects_.ToLink(link, started);
    return false;
  }
  Ride* known = Find(start.ride_id);
  if (known == nullptr || known->start->epoch < start.epoch) return true;
  if (known->start->epoch == start.epoch) {
    known->link = link;
    known->excluded.insert(start.excluded_driver_ids.begin(), start.excluded_driver_ids.end());
    effects_.ToLink(link, started);
  }
  return false;
}

void MatchQueue::Add(Now now, LinkId link, std::shared_ptr<const DispatchStart> start) {
  auto ride = std::make_unique<Ride>();
  ride->number = ++last_number_;
  ride->link = link;
  ride->started = now.domain;
  ride->deadline = now.domain + start->remaining;
  ride->excluded.insert(start->excluded_driver_ids.begin(), start->excluded_driver_ids.end());
  if (Ride* known = Find(start->ride_id); known != nullptr) {
    // A driver who declined the ride is not asked again, even if rider-service does not know that yet.
    ride->excluded.merge(known->excluded);
    Drop(start->ride_id);
  }
  effects_.ToLink(link, DispatchStarted{{start->ride_id, start->epoch}});
  const std::string& ride_id = start->ride_id;
  ride->start = std::move(start);
  rides_[ride_id] = std::move(ride);
}

bool MatchQueue::Stop(Now now, LinkId link, const std::string& ride_id, std::int64_t epoch, StopReason reason) {
  if (!links_.contains(link)) return false;
  const Ride* ride = Find(ride_id);
  if (ride != nullptr && ride->start->epoch > epoch) return false;
  if (reason != StopReason::kSuperseded) RememberEnded(now, ride_id, epoch);
  if (ride == nullptr) return false;
  Drop(ride_id);
  return true;
}

// ---- Rides

MatchQueue::Ride* MatchQueue::Find(const std::string& ride_id) const {
  const auto it = rides_.find(ride_id);
  return it == rides_.end() ? nullptr : it->second.get();
}

void MatchQueue::Drop(const std::string& ride_id) {
  auto it = rides_.find(ride_id);
  HAIL_CHECK(it != rides_.end());
  due_.erase({it->second->next_look, it->second->number});
  rides_.erase(it);
}

void MatchQueue::Free(Now now, const std::string& ride_id) {
  if (Ride* ride = Find(ride_id); ride != nullptr) MakeDue(*ride, now.domain);
}

void MatchQueue::Exclude(const std::string& ride_id, const std::string& driver_id) {
  if (Ride* ride = Find(ride_id); ride != nullptr) ride->excluded.insert(driver_id);
}

void MatchQueue::Pause(const std::string& ride_id, const std::string& driver_id, absl::Time until) {
  if (Ride* ride = Find(ride_id); ride != nullptr) ride->paused[driver_id] = until;
}

void MatchQueue::ReportSettled(const DispatchStart& start, const std::string& driver_id, OfferStatus outcome) {
  const Ride* ride = Find(start.ride_id);
  if (ride != nullptr) effects_.ToLink(ride->link, OfferSettled{{start.ride_id, start.epoch}, driver_id, outcome});
}

void MatchQueue::EndDispatch(Now now, const std::string& ride_id, std::int64_t epoch) {
  if (const Ride* ride = Find(ride_id); ride != nullptr && ride->start->epoch <= epoch) Drop(ride_id);
  RememberEnded(now, ride_id, epoch);
}

void MatchQueue::RememberEnded(Now now, const std::string& ride_id, std::int64_t epoch) {
  Ended& ended = ended_[ride_id];
  ended.epoch = std::max(ended.epoch, epoch);
  ended.until = now.domain + options_.memory;
  forget_ended_.Add(ended.until, ride_id);
}

bool MatchQueue::IsOver(const std::string& ride_id, std::int64_t epoch) const {
  const auto ended = ended_.find(ride_id);
  return ended != ended_.end() && epoch <= ended->second.epoch;
}

std::optional<std::int64_t> MatchQueue::EpochOf(const std::string& ride_id) const {
  const Ride* ride = Find(ride_id);
  return ride == nullptr ? std::nullopt : std::optional(ride->start->epoch);
}

void MatchQueue::MakeDue(Ride& ride, absl::Time when) {
  due_.erase({ride.next_look, ride.number});
  ride.next_look = when;
  due_.emplace(std::pair(when, ride.number), &ride);
}

// ---- Matching

std::vector<MatchQueue::Ride*> MatchQueue::TakeDue(Now now) {
  std::vector<Ride*> looking;
  while (!due_.empty() && due_.begin()->first.first <= now.domain && looking.size() < options_.most_matched_at_once) {
    Ride* ride = due_.begin()->second;
    due_.erase(due_.begin());
    ride->next_look = absl::InfiniteFuture();
    if (now.domain < ride->deadline) {
      looking.push_back(ride);
      continue;
    }
    // The ride is due, so its last offer has been settled.
    const DispatchExhausted exhausted{{ride->start->ride_id, ride->start->epoch}};
    effects_.ToLink(ride->link, exhausted);
    rides_.erase(exhausted.ride_id);
  }
  // The ride that has waited longest chooses first.
  std::sort(looking.begin(), looking.end(), [](const Ride* a, const Ride* b) {
    return std::tie(a->started, a->start->ride_id) < std::tie(b->started, b->start->ride_id);
  });
  return looking;
}

double MatchQueue::RadiusM(Now now, const Ride& ride) const {
  const double steps = std::floor(absl::FDivDuration(now.domain - ride.started, options_.radius_step));
  return std::min(options_.radius_max_m, options_.radius_start_m * std::pow(options_.radius_factor, steps));
}

std::vector<MatchQueue::Match> MatchQueue::TakeMatches(Now now, absl::FunctionRef<bool(const std::string&)> can_offer) {
  std::vector<Match> matches;
  const std::vector<Ride*> looking = TakeDue(now);
  if (looking.empty()) return matches;

  const CarSearch search(index_, options_.position_freshness, options_.radius_max_m);
  std::vector<WaitingRide> waiting;
  waiting.reserve(looking.size());
  for (const Ride* ride : looking) {
    const double radius_m = RadiusM(now, *ride);
    auto accept = [now, ride, can_offer](const std::string& driver_id) {
      if (ride->excluded.contains(driver_id)) return false;
      if (auto paused = ride->paused.find(driver_id); paused != ride->paused.end() && now.domain < paused->second) {
        return false;
      }
      return can_offer(driver_id);
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
  std::vector<bool> matched(looking.size(), false);
  for (Proposal& proposal : matcher_.Match(waiting)) {
    matched[proposal.ride] = true;
    const Ride& ride = *looking[proposal.ride];
    matches.push_back({ride.start, std::move(proposal.driver), now.domain - ride.started, ride.deadline});
  }
  const absl::Time again =
      now.domain + options_.rematch_interval - (now.domain - absl::UnixEpoch()) % options_.rematch_interval;
  for (std::size_t i = 0; i < looking.size(); ++i) {
    if (!matched[i]) MakeDue(*looking[i], std::min(looking[i]->deadline, again));
  }
  return matches;
}

// ---- Time

void MatchQueue::Tick(Now now) {
  while (const auto ride_id = forget_ended_.Take(now.domain)) {
    const auto ended = ended_.find(*ride_id);
    if (ended != ended_.end() && ended->second.until <= now.domain) ended_.erase(ended);
  }
  while (const auto link = working_sets_.Take(now.wall)) {
    if (!links_.contains(*link)) continue;
    WorkingSet set;
    for (const auto& [id, ride] : rides_) {
      if (ride->link == *link) set.rides.push_back({id, ride->start->epoch});
    }
    effects_.ToLink(*link, set);
    working_sets_.Add(now.wall + options_.working_set_interval, *link);
  }
}

}  // namespace hail::driver
