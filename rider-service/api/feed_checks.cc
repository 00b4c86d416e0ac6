#include "rider-service/api/feed_checks.h"

#include <algorithm>
#include <utility>

#include "common/logging/log.h"

namespace hail::rider {
namespace {

// Consecutive failed checks before feeds are notified.
constexpr int kAwayAfter = 3;

using Live = std::vector<std::shared_ptr<CheckedFeed>>;

// The live feeds; all others are removed from `feeds`.
Live LiveOf(std::vector<std::weak_ptr<CheckedFeed>>& feeds) {
  Live live;
  std::erase_if(feeds, [&live](const std::weak_ptr<CheckedFeed>& feed) {
    std::shared_ptr<CheckedFeed> alive = feed.lock();
    if (alive == nullptr) return true;
    live.push_back(std::move(alive));
    return false;
  });
  return live;
}

std::vector<std::string> AllWatched(const Live& feeds) {
  std::vector<std::string> ids;
  for (const auto& feed : feeds) {
    for (std::string& id : feed->Watched()) ids.push_back(std::move(id));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

Done<StoreSequences> Tell(Live feeds, std::atomic<int>* failed) {
  return [feeds = std::move(feeds), failed](const absl::StatusOr<StoreSequences>& sequences) {
    if (!sequences.ok()) {
      Log(LogLevel::kWarn, "feed_check_failed", {{"status", sequences.status()}});
      if (++*failed < kAwayAfter) return;
      for (const auto& feed : feeds) feed->OnStoreAway();
      return;
    }
    *failed = 0;
    for (const auto& feed : feeds) feed->OnStoreSequences(*sequences);
  };
}

}  // namespace

void FeedChecks::AddRideFeed(std::weak_ptr<CheckedFeed> feed) {
  absl::MutexLock lock(&mutex_);
  ride_feeds_.push_back(std::move(feed));
}

void FeedChecks::AddDriverFeed(std::weak_ptr<CheckedFeed> feed) {
  absl::MutexLock lock(&mutex_);
  driver_feeds_.push_back(std::move(feed));
}

void FeedChecks::Check() {
  Live rides, drivers;
  {
    absl::MutexLock lock(&mutex_);
    rides = LiveOf(ride_feeds_);
    drivers = LiveOf(driver_feeds_);
  }
  if (std::vector<std::string> ids = AllWatched(rides); !ids.empty()) {
    store_->Sequences(std::move(ids), Tell(std::move(rides), &rides_failed_));
  }
  if (std::vector<std::string> ids = AllWatched(drivers); !ids.empty()) {
    store_->DriverSequences(std::move(ids), Tell(std::move(drivers), &drivers_failed_));
  }
}

}  // namespace hail::rider
