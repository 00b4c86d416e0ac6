// Converts a row of a store's offer log to a record.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/time/time.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

struct StoredOfferRow {
  std::string offer_id;
  std::string ride_id;
  std::int64_t epoch = 0;
  std::string driver_id;
  std::string outcome;
  std::string revoke_reason;
  std::int64_t received = 0;
  std::int64_t made_time_us = 0;
  std::int64_t settled_time_us = 0;
  std::int64_t pickup_eta_us = 0;
  double pickup_distance_m = 0;
};

// The enumerator among `all` whose name is `name`; fails the test if there is none.
template <typename Enum, typename Name>
Enum ByName(std::initializer_list<Enum> all, Name* name_of, const std::string& name) {
  for (const Enum each : all) {
    if (name_of(each) == name) return each;
  }
  ADD_FAILURE() << "an unknown name is stored: " << name;
  return *all.begin();
}

inline OfferRecord StoredOffer(const StoredOfferRow& row) {
  OfferRecord record;
  record.offer_id = row.offer_id;
  record.ride_id = row.ride_id;
  record.epoch = row.epoch;
  record.driver_id = row.driver_id;
  record.outcome = ByName({OfferStatus::kAccepted, OfferStatus::kDeclined, OfferStatus::kExpired, OfferStatus::kRevoked,
                           OfferStatus::kPending, OfferStatus::kConfirming},
                          OfferStatusName, row.outcome);
  record.reason = ByName({RevokeReason::kNone, RevokeReason::kTaken, RevokeReason::kRideCanceled,
                          RevokeReason::kSuperseded, RevokeReason::kWentOffline},
                         RevokeReasonName, row.revoke_reason);
  record.received = row.received != 0;
  record.made_time = absl::FromUnixMicros(row.made_time_us);
  record.settled_time = absl::FromUnixMicros(row.settled_time_us);
  record.pickup_eta = absl::Microseconds(row.pickup_eta_us);
  record.pickup_distance_m = row.pickup_distance_m;
  return record;
}

}  // namespace hail::driver
