// Broken records of a published data set as ride requests: what must be answered, and what is.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/tools/hail-sim/outcome.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::sim {

// What a request with the record's coordinates must be answered. An odometer, a duration or a speed is no business of a
// request: only the places count. OK, "INVALID_FIELD" or "OUTSIDE_SERVICE_AREA".
std::string ExpectedAnswer(const Reject& reject);

// Sends each record as a request of its own rider, calls accepted rides off again, prints the table reason × expected
// answer × count. Returns how many answers were not the expected ones. UNAVAILABLE if the service does not answer, or
// no longer after it.
absl::StatusOr<int> PlayRejects(const std::string& rider_address, const std::vector<Reject>& rejects,
                                const std::string& run_id);

}  // namespace hail::sim
