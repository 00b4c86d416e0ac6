// The input of the judge: the clients' ledgers, and the services' stores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace hail::check {

// The ledgers of one hail-sim run, each in the order of receipt. Their format: tests/tools/hail-sim/ledger.h. Each line
// is an object with the texts `kind` and `agent`; read its other fields with Text and Number (history.h).
struct Ledgers {
  std::vector<nlohmann::json> riders;
  std::vector<nlohmann::json> drivers;
  std::vector<nlohmann::json> plan;
};

// A row of rider.db's `rides`.
struct StoredRide {
  std::string ride_id;
  std::string rider_id;
  std::string request_id;
  std::string driver_id;
  int state = 0;
  std::int64_t sequence = 0;
  std::int64_t epoch = 0;
};

// A row of rider.db's `events`.
struct StoredEvent {
  std::string ride_id;
  std::int64_t sequence = 0;
  int type = 0;
  std::int64_t epoch = 0;
  int state = 0;
  std::string driver_id;
  std::int64_t driver_sequence = 0;
  bool ended = false;
  std::int64_t time_us = 0;
};

// A row of driver.db's `offers`.
struct StoredOffer {
  std::string offer_id;
  std::string ride_id;
  std::int64_t epoch = 0;
  std::string driver_id;
  std::string outcome;
};

struct Stores {
  std::vector<StoredRide> rides;
  // Sorted by ride and sequence.
  std::vector<StoredEvent> events;
  std::vector<StoredOffer> offers;
};

// Reads riders.ndjson, drivers.ndjson and plan.ndjson. Drops an unfinished last line; any other damage is
// INVALID_ARGUMENT.
absl::StatusOr<Ledgers> ReadLedgers(const std::string& directory);

// Reads both databases without writing. The services must have shut down.
absl::StatusOr<Stores> ReadStores(const std::string& rider_db, const std::string& driver_db);

}  // namespace hail::check
