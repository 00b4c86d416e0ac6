// Broken records of a published data set as ride requests: the expected and the actual answers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/security/credentials.h"
#include "tests/tools/hail-sim/outcome.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::sim {

// The expected answer to a request with the record's coordinates. A request has no odometer, duration or speed, so only
// the places count. OK, "INVALID_FIELD" or "OUTSIDE_SERVICE_AREA".
std::string ExpectedAnswer(const Reject& reject);

// Sends each record as the request of a new rider, cancels accepted rides, and prints the table reason × expected
// answer × count. Returns the number of unexpected answers. UNAVAILABLE if the service does not answer, or stops
// answering.
absl::StatusOr<int> PlayRejects(const std::string& rider_address, std::shared_ptr<grpc::ChannelCredentials> credentials,
                                const std::vector<Reject>& rejects, const std::string& run_id);

}  // namespace hail::sim
