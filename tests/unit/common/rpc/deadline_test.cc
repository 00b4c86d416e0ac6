#include "common/rpc/deadline.h"

#include "common/time/clock.h"
#include "gtest/gtest.h"

namespace hail::rpc {
namespace {

gpr_timespec In(absl::Duration length, gpr_clock_type clock) {
  return gpr_time_add(gpr_now(clock), gpr_time_from_nanos(absl::ToInt64Nanoseconds(length), GPR_TIMESPAN));
}

TEST(DeadlineTest, KeepsTheTimeThatIsLeft) {
  for (const gpr_clock_type clock : {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME}) {
    for (const absl::Duration left : {absl::Hours(3), absl::Milliseconds(20), -absl::Seconds(5)}) {
      const absl::Time before = WallNow();
      const absl::Time deadline = FromGrpcDeadline(In(left, clock));
      // Time passes between two readings of a clock, but never backwards.
      EXPECT_GE(deadline, before + left - absl::Milliseconds(1));
      EXPECT_LE(deadline, WallNow() + left);
    }
  }
}

TEST(DeadlineTest, IsOnTheClockThatNobodySets) {
  const gpr_timespec deadline = ToGrpcDeadline(WallNow() + absl::Seconds(7));
  EXPECT_EQ(deadline.clock_type, GPR_CLOCK_MONOTONIC);
  EXPECT_LE(gpr_time_cmp(deadline, In(absl::Seconds(7), GPR_CLOCK_MONOTONIC)), 0);
  EXPECT_GT(gpr_time_cmp(deadline, In(absl::Seconds(2), GPR_CLOCK_MONOTONIC)), 0);
}

TEST(DeadlineTest, KnowsThatThereIsNone) {
  for (const gpr_clock_type clock : {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME}) {
    EXPECT_EQ(FromGrpcDeadline(gpr_inf_future(clock)), absl::InfiniteFuture());
  }
  EXPECT_EQ(gpr_time_cmp(ToGrpcDeadline(absl::InfiniteFuture()), gpr_inf_future(GPR_CLOCK_MONOTONIC)), 0);
}

TEST(DeadlineTest, TakesWhatIsLongOver) {
  const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
  EXPECT_LT(gpr_time_cmp(ToGrpcDeadline(absl::InfinitePast()), now), 0);
  EXPECT_LT(FromGrpcDeadline(gpr_inf_past(GPR_CLOCK_MONOTONIC)), WallNow());
}

}  // namespace
}  // namespace hail::rpc
