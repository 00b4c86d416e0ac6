// Converts gRPC's and the contract's errors to outcomes.
#pragma once

#include "grpcpp/support/status.h"
#include "hail/type/v1/status.pb.h"
#include "tests/tools/hail-sim/outcome.h"

namespace hail::sim {

Outcome OutcomeOf(const grpc::Status& status);
Outcome OutcomeOf(const hail::type::v1::Status& status);

}  // namespace hail::sim
