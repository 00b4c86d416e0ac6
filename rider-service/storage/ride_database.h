// A RideStore backed by a database, with its maintenance functions.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "rider-service/domain/person_store.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// Thread-safe.
class RideDatabase : public RideStore, public PersonStore {
 public:
  // Checks whether commits work: commits a change that keeps the value.
  virtual void ProbeWrite(std::function<void(absl::Status)> done) = 0;

  // The number of waiting writes and reads, for metrics.
  virtual std::size_t writes_queued() const = 0;
  virtual std::size_t reads_queued() const = 0;

  // Finishes queued jobs and closes the database; later calls end STORE_UNAVAILABLE. Idempotent; must not be called
  // from a `done`.
  virtual void Stop() = 0;
};

}  // namespace hail::rider
