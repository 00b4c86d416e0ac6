// Buffers offer records for a store's log: many per write, one write at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

// Thread-safe.
class OfferLogBuffer {
 public:
  using Records = std::shared_ptr<const std::vector<OfferRecord>>;
  // Writes the records, all or none, and calls `done` once, on any thread, possibly before it returns. `hurry`: a
  // caller waits for it.
  using Write = std::function<void(Records records, bool hurry, std::function<void(absl::Status)> done)>;

  // If more than `max_waiting` records wait, the oldest are lost.
  OfferLogBuffer(std::size_t max_waiting, Write write);

  // Never waits.
  void Append(OfferRecord record) ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops the waiting records of the driver, except those in a write under way.
  void Forget(const std::string& driver_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns when all appended records have been written, or lost.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  // Records that were never written: too many were waiting, or the store refused them.
  std::uint64_t lost() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Starts a write of waiting records, unless another write is open.
  void Flush(bool hurry) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::size_t max_waiting_;
  const Write write_;
  mutable absl::Mutex mutex_;
  std::deque<OfferRecord> waiting_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hail::driver
