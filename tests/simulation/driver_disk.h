// What driver-service's simulated store has on disk: plain data that outlives the process.
#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"
#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/offer.h"
#include "tests/simulation/sim_leases.h"

namespace hail::simulation {

// Not thread-safe.
struct DriverDisk {
  // By driver_id.
  std::map<std::string, driver::StoredDriver> drivers;
  // Whose their sessions are, by driver_id; none: nobody's.
  struct Session {
    driver::SessionClaim claim;
    driver::Opening opening;
    // Wall time.
    absl::Time claimed;
  };
  std::map<std::string, Session> sessions;
  // Of the replicas.
  SimLeases leases;
  // The offer log, by offer_id.
  std::map<std::string, driver::OfferRecord> offers;
};

}  // namespace hail::simulation
