// Converts gRPC's and the contract's errors to outcomes.
#pragma once

#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"
#include "tests/tools/hail-sim/outcome.h"

namespace hail::sim {

Outcome OutcomeOf(const grpc::Status& status);
Outcome OutcomeOf(const google::rpc::Status& status);

}  // namespace hail::sim
