// Compares records of driver-service's store, field by field.
#pragma once

#include "driver-service/domain/driver.h"
#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

inline bool operator==(const StoredDriver& a, const StoredDriver& b) {
  return SameProfile(a.driver, b.driver) && a.driver.create_time == b.driver.create_time &&
         a.driver.update_time == b.driver.update_time && a.driver.version == b.driver.version &&
         a.availability == b.availability;
}

// Ignores ride_waited, which is not stored.
inline bool operator==(const OfferRecord& a, const OfferRecord& b) {
  return a.offer_id == b.offer_id && a.ride_id == b.ride_id && a.epoch == b.epoch && a.driver_id == b.driver_id &&
         a.outcome == b.outcome && a.reason == b.reason && a.made_time == b.made_time &&
         a.settled_time == b.settled_time && a.pickup_eta == b.pickup_eta &&
         a.pickup_distance_m == b.pickup_distance_m && a.received == b.received;
}

}  // namespace hail::driver
