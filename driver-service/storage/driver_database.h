// A DriverStore backed by a database, with its maintenance functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/person_store.h"

namespace hail::driver {

// Thread-safe.
class DriverDatabase : public DriverStore, public PersonStore {
 public:
  // Checks whether commits work: commits a change that keeps the value.
  virtual void ProbeWrite(std::function<void(absl::Status)> done) = 0;

  // The number of waiting writes and reads.
  virtual std::size_t depth() const = 0;
  // Offer records that were never written: too many were waiting, or the database refused them.
  virtual std::uint64_t lost_records() const = 0;

  // Finishes queued jobs, including the offer log, and closes the database. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace hail::driver
