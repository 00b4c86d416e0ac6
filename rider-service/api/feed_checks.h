// Bus messages are hints, so all watched feeds are checked against the store every 2 s, in one query per kind.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// Sequence in the store, by ride (or by driver).
using StoreSequences = std::map<std::string, std::int64_t>;

// A session with feeds to check. Thread-safe.
class CheckedFeed {
 public:
  virtual ~CheckedFeed() = default;
  // The rides (or drivers) watched now.
  virtual std::vector<std::string> Watched() const = 0;
  // The sequences in the store, of watched and other rides (or drivers).
  virtual void OnStoreSequences(const StoreSequences& sequences) = 0;
  // The store could not be read in three consecutive checks.
  virtual void OnStoreAway() {}
};

// Thread-safe. Destroyed sessions drop out by themselves.
class FeedChecks {
 public:
  // `store` must outlive every check; this must outlive every answer of the store.
  explicit FeedChecks(RideStore* store) : store_(store) {}

  void AddRideFeed(std::weak_ptr<CheckedFeed> feed);
  void AddDriverFeed(std::weak_ptr<CheckedFeed> feed);

  // Runs one round: reads the store, notifies the feeds. Never blocks.
  void Check();

 private:
  using Feeds = std::vector<std::weak_ptr<CheckedFeed>>;

  mutable absl::Mutex mutex_;
  Feeds ride_feeds_ ABSL_GUARDED_BY(mutex_);
  Feeds driver_feeds_ ABSL_GUARDED_BY(mutex_);
  RideStore* const store_;
  // Consecutive failed checks, by kind.
  std::atomic<int> rides_failed_{0};
  std::atomic<int> drivers_failed_{0};
};

}  // namespace hail::rider
