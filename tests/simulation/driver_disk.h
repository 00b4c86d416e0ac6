// The disk contents of driver-service's simulated store: plain data that outlives the process.
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
  // The owner of each driver's session, by driver_id; an empty replica: no owner.
  struct Session {
    driver::SessionClaim claim;
    driver::Opening opening;
    // Wall time.
    absl::Time claimed;
  };
  std::map<std::string, Session> sessions;
  // Leases of the replicas.
  SimLeases leases;
  // The offer log, by offer_id.
  std::map<std::string, driver::OfferRecord> offers;
};

}  // namespace hail::simulation
