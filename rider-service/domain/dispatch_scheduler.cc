#include "rider-service/domain/dispatch_scheduler.h"

#include <algorithm>
#include <utility>

#include "common/errors/check.h"

namespace hail::rider {
namespace {

// How long the reason why a ride left is kept (wall time): longer than any answer or working set can be delayed.
constexpr absl::Duration kRememberDeparted = absl::Minutes(1);
// When a tombstone that could not be dropped yet is checked again (wall time).
constexpr absl::Duration kLookAgain = absl::Seconds(1);

}  // namespace

DispatchScheduler::DispatchScheduler(Out* out, RideRules rules, Timing timing)
    : out_(out), rules_(rules), timing_(timing) {}

void DispatchScheduler::OnRide(const Now& now, Ride ride) { Learn(now, std::move(ride), /*from_store=*/false); }

void DispatchScheduler::OnDispatchable(const Now& now, const std::vector<Ride>& rides) {
  for (const Ride& ride : rides) Learn(now, ride, /*from_store=*/true);
}

void DispatchScheduler::OnLease(const Now& now, absl::Time until) {
  lease_until_ = std::max(lease_until_, until);
  if (leased_ || now.wall >= lease_until_) return;
  leased_ = true;
  ++leases_;
  out_->ReadDispatchable();
}

void DispatchScheduler::ReleaseAll() {
  leased_ = false;
  for (auto& [ride_id, entry] : matching_) {
    if (link_up_ && entry.sent && !entry.exhausted) {
      out_->SendStop(ride_id, entry.ride.epoch(), StopReason::kSuperseded);
    }
  }
  // Open commands still get their answers. The other state is read again from the store.
  matching_.clear();
  tombstones_.clear();
  to_forget_.clear();
  ends_.clear();
  wakes_.clear();
  unseen_.clear();
  refused_.clear();
}

std::vector<std::string> DispatchScheduler::RideIds() const {
  std::vector<std::string> ride_ids;
  ride_ids.reserve(matching_.size() + unseen_.size());
  for (const auto& [ride_id, entry] : matching_) ride_ids.push_back(ride_id);
  for (const auto& [ride_id, entry] : unseen_) ride_ids.push_back(ride_id);
  return ride_ids;
}

bool DispatchScheduler::Knows(const Ride& ride) const {
  const auto known = matching_.find(ride.ride_id());
  if (known != matching_.end() && VersionOf(ride) <= VersionOf(known->second.ride)) return true;
  const auto gone = tombstones_.find(ride.ride_id());
  return gone != tombstones_.end() && VersionOf(ride) <= gone->second.version;
}

void DispatchScheduler::Learn(const Now& now, Ride ride, bool from_store) {
  if (!leased_ || Knows(ride)) return;
  if (ride.state() != RideState::kMatching) return LearnNotMatching(now, ride);

  HAIL_CHECK(ride.message().has_match_deadline());
  tombstones_.erase(ride.ride_id());
  unseen_.erase(ride.ride_id());
  const auto [known, is_new] = matching_.try_emplace(ride.ride_id());
  Matching& entry = known->second;
  if (is_new || ride.epoch() > entry.ride.epoch()) {
    // A ride found in the store may have been dispatched at this epoch by the process that raised the epoch.
    entry.needs_new_epoch = from_store;
    entry.sent.reset();
    entry.acknowledged = false;
    entry.exhausted = false;
  }
  entry.ride = std::move(ride);
  Advance(now, entry);
}

void DispatchScheduler::LearnNotMatching(const Now& now, const Ride& ride) {
  if (IsFinal(ride.state())) {
    refused_.erase(ride.ride_id());
    Retire(now, ride, ride.state() == RideState::kCanceled ? StopReason::kRideCanceled : StopReason::kSuperseded);
  } else {
    Retire(now, ride, StopReason::kTaken);
  }
  if (ride.state() != RideState::kEnrouteToPickup || ride.seen_time()) {
    unseen_.erase(ride.ride_id());
    return;
  }
  unseen_[ride.ride_id()] = {.epoch = ride.epoch(), .give_up_at = SeenDeadline(ride, rules_)};
}

void DispatchScheduler::OnElsewhere(const Now& now, const Ride& ride) {
  if (!leased_ || Knows(ride)) return;
  refused_.erase(ride.ride_id());
  unseen_.erase(ride.ride_id());
  if (IsFinal(ride.state())) return LearnNotMatching(now, ride);
  Retire(now, ride, ride.state() == RideState::kMatching ? StopReason::kSuperseded : StopReason::kTaken);
}

void DispatchScheduler::Retire(const Now& now, const Ride& ride, StopReason reason) {
  Tombstone gone{VersionOf(ride), reason, now.wall};
  if (const auto known = matching_.find(ride.ride_id()); known != matching_.end()) {
    // A taken ride needs no Stop: the answer to the confirmation reports it, and a Stop must not overtake that answer.
    const bool known_there = gone.reason == StopReason::kTaken || known->second.exhausted;
    if (link_up_ && known->second.sent && !known_there) {
      out_->SendStop(ride.ride_id(), known->second.ride.epoch(), gone.reason);
    }
    Drop(known);
  } else if (const auto before = tombstones_.find(ride.ride_id());
             before != tombstones_.end() && before->second.reason == gone.reason) {
    gone.since = before->second.since;
  }
  if (tombstones_.insert_or_assign(ride.ride_id(), gone).second) {
    to_forget_.emplace_back(now.wall + kRememberDeparted, ride.ride_id());
  }
}

void DispatchScheduler::Advance(const Now& now, Matching& entry) {
  const bool busy = commands_.contains(entry.ride.ride_id());
  if (!busy && now.wall >= entry.command_not_before) Act(now, entry);

  absl::Time end = absl::InfiniteFuture();
  absl::Time wake = absl::InfiniteFuture();
  if (busy || commands_.contains(entry.ride.ride_id())) {
    // OnCommandDone continues.
  } else if (now.wall < entry.command_not_before) {
    wake = entry.command_not_before;
  } else {
    end = EndOf(entry);
    if (entry.sent && !entry.acknowledged && !entry.exhausted) wake = *entry.sent + timing_.resend;
  }
  Schedule(entry, end, wake);
}

void DispatchScheduler::Act(const Now& now, Matching& entry) {
  const std::string& ride_id = entry.ride.ride_id();
  if (now.domain >= EndOf(entry)) {
    commands_[ride_id] = VersionOf(entry.ride);
    out_->EndUnfulfilled(ride_id, entry.ride.epoch());
    return;
  }
  // After the deadline nothing is started; running dispatches may settle until the end.
  if (!link_up_ || entry.exhausted || now.domain >= *entry.ride.match_deadline()) return;
  if (entry.sent) {
    if (!entry.acknowledged && now.wall >= *entry.sent + timing_.resend) SendStart(now, entry);
  } else if (entry.needs_new_epoch) {
    commands_[ride_id] = VersionOf(entry.ride);
    out_->RaiseEpoch(ride_id, entry.ride.epoch());
  } else {
    SendStart(now, entry);
  }
}

absl::Time DispatchScheduler::EndOf(const Matching& entry) const {
  const absl::Time deadline = *entry.ride.match_deadline();
  return entry.exhausted ? deadline : deadline + rules_.offer_time + rules_.unfulfilled_grace;
}

void DispatchScheduler::Schedule(Matching& entry, absl::Time end, absl::Time wake) {
  const std::string& ride_id = entry.ride.ride_id();
  const auto move = [&](std::set<std::pair<absl::Time, std::string>>& schedule, absl::Time& from, absl::Time to) {
    if (from == to) return;
    if (from != absl::InfiniteFuture()) schedule.erase({from, ride_id});
    if (to != absl::InfiniteFuture()) schedule.emplace(to, ride_id);
    from = to;
  };
  move(ends_, entry.end, end);
  move(wakes_, entry.wake, wake);
}

void DispatchScheduler::Drop(std::unordered_map<std::string, Matching>::iterator entry) {
  Schedule(entry->second, absl::InfiniteFuture(), absl::InfiniteFuture());
  matching_.erase(entry);
}

void DispatchScheduler::SendStart(const Now& now, Matching& entry) {
  entry.sent = now.wall;
  entry.acknowledged = false;
  Start start;
  start.ride = &entry.ride;
  start.remaining = *entry.ride.match_deadline() - now.domain;
  start.offer_time = rules_.offer_time;
  start.excluded_driver_ids.assign(entry.ride.excluded_driver_ids().begin(), entry.ride.excluded_driver_ids().end());
  if (const auto refused = refused_.find(entry.ride.ride_id()); refused != refused_.end()) {
    start.excluded_driver_ids.insert(start.excluded_driver_ids.end(), refused->second.begin(), refused->second.end());
  }
  out_->SendStart(start);
}

void DispatchScheduler::OnLinkUp(const Now& now) {
  OnLinkDown(now);
  link_up_ = true;
  // Ids sort by request time, so the ride that has waited longest comes first.
  std::vector<Matching*> waiting;
  waiting.reserve(matching_.size());
  for (auto& [ride_id, entry] : matching_) waiting.push_back(&entry);
  std::sort(waiting.begin(), waiting.end(),
            [](const Matching* a, const Matching* b) { return a->ride.ride_id() < b->ride.ride_id(); });
  for (Matching* entry : waiting) Advance(now, *entry);
}

void DispatchScheduler::OnLinkDown(const Now& now) {
  link_up_ = false;
  for (auto& [ride_id, entry] : matching_) {
    if (!entry.sent) continue;
    entry.sent.reset();
    entry.acknowledged = false;
    entry.needs_new_epoch = true;
    // A report from an earlier link counts only if a new start is no longer possible.
    entry.exhausted = entry.exhausted && now.domain >= *entry.ride.match_deadline();
    Advance(now, entry);
  }
}

DispatchScheduler::Matching* DispatchScheduler::Started(const std::string& ride_id, std::int64_t epoch) {
  const auto known = matching_.find(ride_id);
  if (known == matching_.end() || known->second.ride.epoch() != epoch || !known->second.sent) return nullptr;
  return &known->second;
}

void DispatchScheduler::OnStarted(const Now& now, const std::string& ride_id, std::int64_t epoch) {
  Matching* entry = Started(ride_id, epoch);
  if (entry == nullptr) return;
  entry->acknowledged = true;
  Advance(now, *entry);
}

void DispatchScheduler::OnExhausted(const Now& now, const std::string& ride_id, std::int64_t epoch) {
  Matching* entry = Started(ride_id, epoch);
  if (entry == nullptr) return;
  entry->acknowledged = true;
  entry->exhausted = true;
  Advance(now, *entry);
}

void DispatchScheduler::OnSettled(const Now&, const std::string& ride_id, std::int64_t, const std::string& driver_id) {
  // At any epoch: a driver who refused the ride is not asked again.
  if (matching_.contains(ride_id)) refused_[ride_id].insert(driver_id);
}

void DispatchScheduler::OnWorkingSet(const Now& now, const std::vector<Dispatching>& set) {
  if (!link_up_) return;
  std::unordered_map<std::string, std::int64_t> working;
  for (const Dispatching& item : set) {
    std::int64_t& epoch = working[item.ride_id];
    epoch = std::max(epoch, item.epoch);
  }
  for (auto& [ride_id, entry] : matching_) {
    const auto found = working.find(ride_id);
    const bool is_working = found != working.end() && found->second == entry.ride.epoch();
    if (is_working || !entry.acknowledged || entry.exhausted || now.domain >= *entry.ride.match_deadline() ||
        now.wall < *entry.sent + timing_.reconcile_grace) {
      continue;
    }
    // driver-service has lost it. A new epoch is always accepted as a new dispatch.
    entry.sent.reset();
    entry.acknowledged = false;
    entry.needs_new_epoch = true;
    Advance(now, entry);
  }
  for (const auto& [ride_id, epoch] : working) {
    if (matching_.contains(ride_id)) continue;
    const auto gone = tombstones_.find(ride_id);
    if (gone == tombstones_.end()) {
      out_->SendStop(ride_id, epoch, StopReason::kSuperseded);
    } else if (now.wall >= gone->second.since + timing_.reconcile_grace) {
      out_->SendStop(ride_id, epoch, gone->second.reason);
    }
  }
}

void DispatchScheduler::OnCommandDone(const Now& now, const std::string& ride_id, const absl::StatusOr<Ride>& result,
                                      bool elsewhere) {
  // Do not retry at once, whether the command failed or changed nothing (for example because the store's clock is
  // behind).
  const absl::Time not_before = now.wall + timing_.retry_command;
  const auto command = commands_.find(ride_id);
  if (command == commands_.end()) return;
  const bool news = result.ok() && VersionOf(*result) > command->second;
  commands_.erase(command);
  if (const auto known = matching_.find(ride_id); known != matching_.end() && !news) {
    known->second.command_not_before = not_before;
  }
  if (const auto known = unseen_.find(ride_id); known != unseen_.end()) {
    known->second.command_not_before = not_before;
  }
  if (result.ok() && elsewhere) {
    OnElsewhere(now, *result);
  } else if (result.ok()) {
    Learn(now, *result, /*from_store=*/false);
  } else if (absl::IsNotFound(result.status())) {
    if (const auto known = matching_.find(ride_id); known != matching_.end()) Drop(known);
    unseen_.erase(ride_id);
    refused_.erase(ride_id);
  }
  // OnRide may have brought the news before this answer, and waited for it.
  if (const auto known = matching_.find(ride_id); known != matching_.end()) Advance(now, known->second);
}

void DispatchScheduler::OnTick(const Now& now) {
  if (leased_ && now.wall >= lease_until_) ReleaseAll();
  // Collected first, because Advance changes both schedules.
  std::vector<std::string> due;
  for (auto at = ends_.begin(); at != ends_.end() && at->first <= now.domain; ++at) due.push_back(at->second);
  for (auto at = wakes_.begin(); at != wakes_.end() && at->first <= now.wall; ++at) due.push_back(at->second);
  for (const std::string& ride_id : due) {
    const auto entry = matching_.find(ride_id);
    HAIL_CHECK(entry != matching_.end());
    Advance(now, entry->second);
  }
  for (auto& [ride_id, entry] : unseen_) {
    if (commands_.contains(ride_id) || now.wall < entry.command_not_before || now.domain < entry.give_up_at) continue;
    commands_[ride_id] = {0, entry.epoch};
    out_->ExpireUnacknowledged(ride_id, entry.epoch);
  }
  Forget(now);
}

void DispatchScheduler::Forget(const Now& now) {
  // Entries checked in this tick move to the end of the queue, so the loop passes over it at most once.
  while (!to_forget_.empty() && now.wall >= to_forget_.front().first) {
    std::string ride_id = std::move(to_forget_.front().second);
    to_forget_.pop_front();
    const auto gone = tombstones_.find(ride_id);
    if (gone == tombstones_.end()) continue;
    const absl::Time due = gone->second.since + kRememberDeparted;
    if (now.wall >= due && !unseen_.contains(ride_id)) {
      tombstones_.erase(gone);
    } else {
      to_forget_.emplace_back(std::max(due, now.wall + kLookAgain), std::move(ride_id));
    }
  }
}

}  // namespace hail::rider
