// Converts deadlines of calls between gRPC's clocks and ours. Only the remaining time is converted, so changes of the
// system clock have no effect.
#pragma once

#include "absl/time/time.h"
#include "grpc/support/time.h"

namespace hail::rpc {

// A deadline in terms of WallNow(); raw_deadline() of a context gives gRPC's. InfiniteFuture: none.
absl::Time FromGrpcDeadline(gpr_timespec deadline);

// For set_deadline() of a context. A deadline in the past ends the call at once.
gpr_timespec ToGrpcDeadline(absl::Time wall);

}  // namespace hail::rpc
