#include "common/rpc/deadline.h"

#include <algorithm>

#include "common/time/clock.h"

namespace hail::rpc {
namespace {

// A deadline further away than this counts as none.
constexpr absl::Duration kNever = absl::Hours(24 * 365);

}  // namespace

absl::Time FromGrpcDeadline(gpr_timespec deadline) {
  // gRPC represents "no deadline" by the maximum of a clock, which saturates here.
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  const absl::Duration length = absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
  return length > kNever ? absl::InfiniteFuture() : WallNow() + length;
}

gpr_timespec ToGrpcDeadline(absl::Time wall) {
  if (wall == absl::InfiniteFuture()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  const absl::Duration left = std::clamp(wall - WallNow(), -kNever, kNever);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(absl::ToInt64Nanoseconds(left), GPR_TIMESPAN));
}

}  // namespace hail::rpc
