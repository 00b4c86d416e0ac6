// What driver-service's simulated store has on disk: plain data that outlives the process.
#pragma once

#include <map>
#include <string>

#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/offer.h"

namespace hail::simulation {

// Not thread-safe.
struct DriverDisk {
  // By driver_id.
  std::map<std::string, driver::StoredDriver> drivers;
  // The offer log, by offer_id.
  std::map<std::string, driver::OfferRecord> offers;
};

}  // namespace hail::simulation
