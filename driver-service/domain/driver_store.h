// The store port of driver-service: profiles, the durable wish for rides, the offer log.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "driver-service/domain/driver.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

struct StoredDriver {
  Driver driver;
  Availability availability = Availability::kOffline;
};

// Thread-safe and asynchronous: nothing blocks. `done` runs exactly once, on a thread of the store's, and must not
// block; for a change, after it is durable. Errors: STORE_UNAVAILABLE, OVERLOADED, DEADLINE_EXCEEDED beside those
// named.
class DriverStore {
 public:
  virtual ~DriverStore() = default;

  // Adds `driver` with create_time = update_time = `now` (domain). The same profile again: the stored driver. Another
  // profile under the same id: DRIVER_EXISTS. `deadline` is wall time.
  virtual void Register(const Driver& driver, absl::Time now, absl::Time deadline,
                        std::function<void(absl::StatusOr<StoredDriver>)> done) = 0;

  // DRIVER_NOT_FOUND.
  virtual void Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) = 0;

  // Stores the wish; the driver as it is after it. DRIVER_NOT_FOUND. `now` is domain time, `deadline` wall time.
  virtual void SetAvailability(const std::string& driver_id, Availability availability, absl::Time now,
                               absl::Time deadline, std::function<void(absl::StatusOr<StoredDriver>)> done) = 0;

  // Appends to the log, some time later and together with others. Never waits; when the store does not keep up, the
  // oldest waiting records are lost and counted: the log is for audit, nothing is decided by it.
  virtual void AppendOfferLog(OfferRecord record) = 0;
};

}  // namespace hail::driver
