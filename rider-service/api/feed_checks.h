// The bus is a hint: every 2 s all watched feeds are checked against the store, in one query a kind (DESIGN §5).
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

// Sequence by ride (or by driver), as the store has it.
using StoreSequences = std::map<std::string, std::int64_t>;

// A session with feeds to check. Thread-safe.
class CheckedFeed {
 public:
  virtual ~CheckedFeed() = default;
  // The rides (or drivers) watched now.
  virtual std::vector<std::string> Watched() const = 0;
  // What the store has for them, and for others.
  virtual void OnStoreSequences(const StoreSequences& sequences) = 0;
  // The store could not be read, three checks in a row.
  virtual void OnStoreAway() {}
};

// Thread-safe. Sessions that are gone drop out by themselves.
class FeedChecks {
 public:
  // `store` must outlive every check, and this every answer of the store's.
  explicit FeedChecks(RideStore* store) : store_(store) {}

  void AddRideFeed(std::weak_ptr<CheckedFeed> feed);
  void AddDriverFeed(std::weak_ptr<CheckedFeed> feed);

  // One round: asks the store, tells the feeds. Never blocks.
  void Check();

 private:
  using Feeds = std::vector<std::weak_ptr<CheckedFeed>>;

  mutable absl::Mutex mutex_;
  Feeds ride_feeds_ ABSL_GUARDED_BY(mutex_);
  Feeds driver_feeds_ ABSL_GUARDED_BY(mutex_);
  RideStore* const store_;
  // Checks in a row that failed, of each kind.
  std::atomic<int> rides_failed_{0};
  std::atomic<int> drivers_failed_{0};
};

}  // namespace hail::rider
