#include "driver-service/api/presence_gossip.h"

#include <utility>

namespace hail::driver {
namespace {

// A presence has some 150 bytes. NATS accepts messages of 1 MB, but small ones arrive sooner.
constexpr std::size_t kPresencesPerMessage = 256;

}  // namespace

void PresenceGossip::SetOnDirty(std::function<void()> on_fresh) {
  absl::MutexLock lock(&mutex_);
  on_fresh_ = std::move(on_fresh);
}

void PresenceGossip::SetSession(const std::string& driver_id, std::int64_t session_epoch, bool offerable, bool on_map,
                                std::shared_ptr<const CarProfile> car) {
  absl::MutexLock lock(&mutex_);
  Entry& entry = entries_[driver_id];
  entry.session_epoch = session_epoch;
  entry.offerable = offerable;
  entry.on_map = on_map;
  entry.car = std::move(car);
  MarkFresh(driver_id, entry);
}

void PresenceGossip::Forget(const std::string& driver_id) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(driver_id);
}

void PresenceGossip::Moved(const std::string& driver_id) {
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(driver_id);
  if (entry != entries_.end()) MarkFresh(driver_id, entry->second);
}

void PresenceGossip::MarkFresh(const std::string& driver_id, Entry& entry) {
  if (std::exchange(entry.fresh, true)) return;
  fresh_.push_back(driver_id);
  if (fresh_.size() == 1 && on_fresh_) on_fresh_();
}

std::vector<Presences> PresenceGossip::Take() {
  std::vector<Presences> taken;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& driver_id : fresh_) {
      const auto entry = entries_.find(driver_id);
      // The driver has left since; or has come back, and is in the list twice.
      if (entry == entries_.end() || !std::exchange(entry->second.fresh, false)) continue;
      if (taken.empty() || taken.back().drivers.size() == kPresencesPerMessage) taken.emplace_back();
      const Entry& seen = entry->second;
      taken.back().drivers.push_back(
          {driver_id, seen.session_epoch, ++last_number_, seen.offerable, seen.on_map, seen.car, std::nullopt});
    }
    fresh_.clear();
  }
  // Without the lock; a position that comes meanwhile is only newer.
  for (Presences& presences : taken) {
    for (DriverPresence& presence : presences.drivers) {
      presence.fix = index_.Find(presence.driver_id);
      // A driver with a doubtful position gets no offers, and is nowhere to be seen.
      const bool doubted = index_.IsDoubted(presence.driver_id);
      presence.offerable = presence.offerable && !doubted;
      presence.on_map = presence.on_map && !doubted;
    }
  }
  return taken;
}

}  // namespace hail::driver
