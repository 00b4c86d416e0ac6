// Deadlines of calls: gRPC's, and ours. In between there is only the time that is left, so no clock that somebody sets
// comes into it.
#pragma once

#include "absl/time/time.h"
#include "grpc/support/time.h"

namespace hail::rpc {

// A deadline as WallNow() counts; raw_deadline() of a context gives gRPC's. InfiniteFuture where there is none.
absl::Time FromGrpcDeadline(gpr_timespec deadline);

// For set_deadline() of a context. One that has passed ends the call at once.
gpr_timespec ToGrpcDeadline(absl::Time wall);

}  // namespace hail::rpc
