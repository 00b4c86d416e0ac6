// A RideStore that a database keeps: the port, and what running it needs.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// Thread-safe.
class RideDatabase : public RideStore {
 public:
  // Finds out whether commits work: commits a change to the same.
  virtual void ProbeWrite(std::function<void(absl::Status)> done) = 0;

  // Jobs waiting, for metrics.
  virtual std::size_t writes_queued() const = 0;
  virtual std::size_t reads_queued() const = 0;

  // Finishes what is queued and lets go of the database; later calls hear STORE_UNAVAILABLE. Idempotent; not from a
  // `done`.
  virtual void Stop() = 0;
};

}  // namespace hail::rider
