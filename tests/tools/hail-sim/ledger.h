// The messages that clients received: append-only JSON, one object a line, in the order of receipt.
//
//   riders.ndjson   agent = rider_id,  with request_id and, once known, ride_id
//   drivers.ndjson  agent = driver_id
//   plan.ndjson     the planned rides, and their results
//
// Each line has "t" (wall time of receipt, epoch microseconds), "agent" and "kind". hail-check reads it.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace hail::sim {

class Ledger {
 public:
  enum Book { kRiders, kDrivers, kPlan };

  // A ledger that drops all lines.
  Ledger() = default;
  // Three files in `directory`, which is created if necessary. ALREADY_EXISTS if a file is not empty: a ledger belongs
  // to one run.
  static absl::StatusOr<Ledger> Open(const std::string& directory);

  void Write(Book book, absl::Time wall, const std::string& agent, const char* kind, nlohmann::json fields);
  // Passes all data to the operating system.
  void Flush();

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Closer> files_[3];
};

}  // namespace hail::sim
