#include "common/auth/key_schedule.h"

#include <gtest/gtest.h>

namespace hail::auth {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

TEST(KeyScheduleTest, TheFirstReadIsDueAtOnce) {
  const KeySchedule schedule({});
  EXPECT_LE(schedule.next_read(), kNow);
  EXPECT_FALSE(schedule.Usable(kNow));
}

TEST(KeyScheduleTest, TheOriginSaysWhenWithinBounds) {
  KeySchedule schedule({});
  const auto next = [&](std::optional<absl::Duration> good_for, double random = 0) {
    schedule.OnRead(kNow, good_for, random);
    return schedule.next_read() - kNow;
  };
  EXPECT_EQ(next(std::nullopt), absl::Minutes(5));
  EXPECT_EQ(next(absl::Minutes(20)), absl::Minutes(20));
  EXPECT_EQ(next(absl::ZeroDuration()), absl::Minutes(1));
  EXPECT_EQ(next(absl::Hours(1000)), absl::Hours(24));
  // A tenth earlier at most.
  EXPECT_EQ(next(std::nullopt, 0.5), absl::Seconds(285));
  EXPECT_GE(next(std::nullopt, 0.999), absl::Seconds(270));
}

TEST(KeyScheduleTest, FailuresAreRepeatedLessAndLessOften) {
  KeySchedule schedule({});
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
    schedule.OnFailed(kNow);
    EXPECT_EQ(schedule.next_read() - kNow, absl::Seconds(wait));
  }
  schedule.OnRead(kNow, std::nullopt, 0);
  schedule.OnFailed(kNow);
  EXPECT_EQ(schedule.next_read() - kNow, absl::Seconds(1));
}

TEST(KeyScheduleTest, KeysThatAreDueAreUsedForADayMore) {
  for (const absl::Duration good_for : {absl::Minutes(1), absl::Hours(24)}) {
    KeySchedule schedule({});
    schedule.OnRead(kNow, good_for, 0);
    const absl::Time due = schedule.next_read();
    for (absl::Time now = due; now < due + absl::Hours(24); now += absl::Minutes(1)) {
      ASSERT_TRUE(schedule.Usable(now)) << now - due;
      schedule.OnFailed(now);
    }
    EXPECT_FALSE(schedule.Usable(due + absl::Hours(24)));
    schedule.OnRead(due + absl::Hours(30), good_for, 0);
    EXPECT_TRUE(schedule.Usable(due + absl::Hours(30)));
  }
}

TEST(KeyScheduleTest, AnUnknownKeyCausesAReadAtOnceAndThenOneIn30Seconds) {
  KeySchedule schedule({});
  schedule.OnRead(kNow, std::nullopt, 0);
  EXPECT_TRUE(schedule.OnUnknownKey(kNow));
  EXPECT_EQ(schedule.next_read(), kNow);
  // While it is under way.
  EXPECT_TRUE(schedule.OnUnknownKey(kNow + absl::Seconds(1)));
  schedule.OnRead(kNow + absl::Seconds(2), std::nullopt, 0);
  EXPECT_FALSE(schedule.OnUnknownKey(kNow + absl::Seconds(2)));
  EXPECT_FALSE(schedule.OnUnknownKey(kNow + absl::Seconds(29)));
  EXPECT_EQ(schedule.next_read(), kNow + absl::Seconds(302));
  EXPECT_TRUE(schedule.OnUnknownKey(kNow + absl::Seconds(30)));
  EXPECT_EQ(schedule.next_read(), kNow + absl::Seconds(30));
  // A failed read is no reason for more.
  schedule.OnFailed(kNow + absl::Seconds(31));
  EXPECT_FALSE(schedule.OnUnknownKey(kNow + absl::Seconds(32)));
}

TEST(KeyScheduleTest, AFloodOfUnknownKeysCausesTwoReadsAMinute) {
  KeySchedule schedule({});
  schedule.OnRead(kNow, std::nullopt, 0);
  int reads = 0;
  for (int ms = 0; ms < 600'000; ms += 10) {
    const absl::Time now = kNow + absl::Milliseconds(ms);
    schedule.OnUnknownKey(now);
    if (schedule.next_read() <= now) {
      ++reads;
      schedule.OnRead(now, absl::Hours(1), 0);
    }
  }
  EXPECT_EQ(reads, 20);
}

TEST(KeyScheduleTest, AnUnknownKeyDelaysNoRead) {
  KeySchedule schedule({});
  schedule.OnFailed(kNow);
  EXPECT_TRUE(schedule.OnUnknownKey(kNow + absl::Seconds(5)));
  EXPECT_EQ(schedule.next_read(), kNow + absl::Seconds(1));
}

}  // namespace
}  // namespace hail::auth
