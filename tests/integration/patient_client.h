// A client that follows the retry policy of docs/clients.md.
#pragma once

#include <functional>

#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"

namespace hail::testing {

struct PatientOutcome {
  // The status of the last attempt.
  grpc::Status status;
  int attempts = 0;
  absl::Duration took;
};

// Calls `attempt` until it succeeds or fails with an error that is not retryable, for at most 30 s. Each attempt has a
// deadline of 5 s and does not wait for a connection.
PatientOutcome CallPatiently(const std::function<grpc::Status(grpc::ClientContext*)>& attempt);

}  // namespace hail::testing
