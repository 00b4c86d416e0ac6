// The drivers whose sessions this replica has, on their way to the other replicas' indexes: latest wins, one slot a
// driver.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/replica_message.h"

namespace hail::driver {

// Thread-safe.
class PresenceGossip {
 public:
  // Where the positions are. Must outlive this.
  explicit PresenceGossip(const LocationIndex& index) : index_(index) {}

  // `on_fresh` runs when there is something to take that was not there before: on the thread that adds it, under a
  // lock, so it must not call back. Null: nobody is told.
  void SetOnDirty(std::function<void()> on_fresh);

  // The driver's session is here.
  void SetSession(const std::string& driver_id, std::int64_t session_epoch, bool offerable,
                  std::shared_ptr<const CarProfile> car);
  // It is no longer.
  void Forget(const std::string& driver_id);

  // The index has a newer position of the driver, or doubts the one it has. Nothing happens for one without a session
  // here.
  void Moved(const std::string& driver_id);

  // What came in since the last call, in messages of a bounded size.
  std::vector<Presences> Take();

 private:
  struct Entry {
    std::int64_t session_epoch = 0;
    bool offerable = false;
    std::shared_ptr<const CarProfile> car;
    // Whether it waits to be taken.
    bool fresh = false;
  };

  void MarkFresh(const std::string& driver_id, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LocationIndex& index_;
  absl::Mutex mutex_;
  std::function<void()> on_fresh_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  // Those of entries_ that wait, and some that are gone by now; in the order they came.
  std::vector<std::string> fresh_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hail::driver
