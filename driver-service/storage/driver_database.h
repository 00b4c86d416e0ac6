// A DriverStore that a database keeps: the port, and what running it needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "driver-service/domain/driver_store.h"

namespace hail::driver {

// Thread-safe.
class DriverDatabase : public DriverStore {
 public:
  // Finds out whether commits work: commits a change to the same.
  virtual void ProbeWrite(std::function<void(absl::Status)> done) = 0;

  // Changes and reads that wait now.
  virtual std::size_t depth() const = 0;
  // Offer records that were never written: too many were waiting, or the database refused them.
  virtual std::uint64_t lost_records() const = 0;

  // Finishes what is queued, the offer log included, and lets go of the database. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace hail::driver
