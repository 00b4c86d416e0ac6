#include "common/time/steady_wall.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/time/clock.h"
#include "gtest/gtest.h"

namespace hail {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

// A machine with two clocks, and the SteadyWall of a process on it.
struct Machine {
  absl::Time truth = kStart;
  // The wall clock's error.
  absl::Duration wrong;
  SteadyWall steady;

  absl::Time Read() { return steady.At(truth + wrong, truth - kStart + absl::Hours(7)); }
  // Time passes, with a reading at each step; returns how much of it the process counts.
  absl::Duration Pass(absl::Duration length, absl::Duration step) {
    const absl::Time before = Read();
    for (const absl::Time end = truth + length; truth < end;) {
      truth += step;
      const absl::Time last = Read();
      EXPECT_LE(last, Read());
    }
    return Read() - before;
  }
  absl::Duration off() { return Read() - truth; }
};

TEST(SteadyWallTest, IsTheWallClockThatNobodySets) {
  Machine machine;
  EXPECT_EQ(machine.Read(), kStart);
  EXPECT_EQ(machine.Pass(absl::Seconds(10), absl::Milliseconds(7)), absl::Seconds(10) + absl::Milliseconds(3));
  EXPECT_EQ(machine.off(), absl::ZeroDuration());
}

TEST(SteadyWallTest, BeginsAtTheWallClockHoweverWrongItIs) {
  Machine machine{.wrong = -absl::Hours(1)};
  EXPECT_EQ(machine.Read(), kStart - absl::Hours(1));
  EXPECT_EQ(machine.Pass(absl::Seconds(10), absl::Seconds(1)), absl::Seconds(10));
}

class Steps : public testing::TestWithParam<absl::Duration> {};

TEST_P(Steps, AreNoLeap) {
  Machine machine;
  machine.Pass(absl::Seconds(3), absl::Milliseconds(100));
  const absl::Time before = machine.Read();
  machine.wrong = GetParam();
  EXPECT_EQ(machine.Read(), before) << "no time has passed";
}

TEST_P(Steps, MakeNoLengthWrongByMoreThanAPart) {
  for (const absl::Duration length : {absl::Milliseconds(10), absl::Seconds(15), absl::Minutes(10)}) {
    // Read at each beat, or at the end only.
    for (const int beats : {1, 4, 1000}) {
      Machine machine;
      machine.Pass(absl::Seconds(1), absl::Seconds(1));
      machine.wrong = GetParam();
      const absl::Duration counted = machine.Pass(length, length / beats);
      EXPECT_LE(absl::AbsDuration(counted - length), length / SteadyWall::kSlew + absl::Microseconds(1)) << length;
    }
  }
}

TEST_P(Steps, AreMadeUpForInTime) {
  Machine machine;
  machine.Read();
  machine.wrong = GetParam();
  const absl::Duration size = absl::AbsDuration(GetParam());
  machine.Pass(size * (SteadyWall::kSlew - 2), size / 10);
  EXPECT_NE(machine.off(), GetParam()) << "not sooner";
  machine.Pass(size * 3, size / 10);
  EXPECT_EQ(machine.off(), GetParam());
}

TEST_P(Steps, ThatAreTakenBackLeaveNothing) {
  Machine machine;
  machine.Read();
  machine.wrong = GetParam();
  machine.Pass(absl::Seconds(20), absl::Milliseconds(50));
  machine.wrong = absl::ZeroDuration();
  machine.Pass(absl::Seconds(22), absl::Milliseconds(50));
  EXPECT_EQ(machine.off(), absl::ZeroDuration());
}

INSTANTIATE_TEST_SUITE_P(BackAndForward, Steps,
                         testing::Values(-absl::Hours(1), absl::Hours(1), -absl::Seconds(90), absl::Seconds(90)));

TEST(SteadyWallTest, FollowsAClockThatDrifts) {
  Machine machine;
  machine.Read();
  // The rate at which a clock is slewed without being set: 500 millionths.
  for (int second = 0; second < 1000; ++second) {
    machine.wrong += absl::Microseconds(500);
    machine.Pass(absl::Seconds(1), absl::Milliseconds(100));
    EXPECT_EQ(machine.off(), machine.wrong);
  }
}

TEST(SteadyWallTest, CountsTheTimeAMachineSleeps) {
  // Both clocks go on.
  Machine machine;
  machine.Read();
  EXPECT_EQ(machine.Pass(absl::Hours(8), absl::Hours(8)), absl::Hours(8));
}

TEST(SteadyWallTest, TakesReadingsThatComeOutOfOrder) {
  SteadyWall wall;
  wall.At(kStart, absl::Seconds(10));
  const absl::Time later = wall.At(kStart + absl::Seconds(2), absl::Seconds(12));
  EXPECT_EQ(wall.At(kStart + absl::Seconds(1), absl::Seconds(11)), later);
  EXPECT_EQ(wall.At(kStart + absl::Seconds(3), absl::Seconds(13)), kStart + absl::Seconds(3));
}

TEST(SteadyWallTest, NeverGoesBackForAnyThread) {
  SteadyWall wall;
  std::atomic<std::int64_t> tick{0};
  std::atomic<bool> back{false};
  std::atomic<absl::Time> latest{kStart - absl::Hours(2)};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const absl::Duration steady = absl::Microseconds(++tick);
        // The latest time that a thread had read before this reading began.
        const absl::Time before = latest.load();
        // Set back and forward all the time.
        const absl::Duration wrong = absl::Hours(i % 3 - 1);
        const absl::Time now = wall.At(kStart + steady + wrong, steady);
        if (now < before) back = true;
        for (absl::Time seen = latest; seen < now && !latest.compare_exchange_weak(seen, now);) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(back);
}

TEST(WallNowTest, NeverGoesBack) {
  absl::Time last = WallNow();
  for (int i = 0; i < 100'000; ++i) {
    const absl::Time now = WallNow();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace hail
