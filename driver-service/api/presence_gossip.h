// The drivers with sessions on this replica, queued for the other replicas' indexes: latest wins, one slot per driver.
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
  // The source of the positions. Must outlive this.
  explicit PresenceGossip(const LocationIndex& index) : index_(index) {}

  // `on_fresh` runs when presences wait after none waited: on the thread that adds the first, under a lock, so it must
  // not call back. Null: no callback.
  void SetOnDirty(std::function<void()> on_fresh);

  // The driver's session is here.
  void SetSession(const std::string& driver_id, std::int64_t session_epoch, bool offerable, bool on_map,
                  std::shared_ptr<const CarProfile> car);
  // The driver's session is no longer here.
  void Forget(const std::string& driver_id);

  // The index has a newer position of the driver, or doubts the present one. No effect for a driver without a session
  // here.
  void Moved(const std::string& driver_id);

  // The presences that changed since the last call, in messages of limited size.
  std::vector<Presences> Take();

 private:
  struct Entry {
    std::int64_t session_epoch = 0;
    bool offerable = false;
    bool on_map = false;
    std::shared_ptr<const CarProfile> car;
    // Whether it waits for Take.
    bool fresh = false;
  };

  void MarkFresh(const std::string& driver_id, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LocationIndex& index_;
  absl::Mutex mutex_;
  std::function<void()> on_fresh_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  // Waiting drivers of entries_, and some that have left; in order of arrival.
  std::vector<std::string> fresh_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hail::driver
