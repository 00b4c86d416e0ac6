#include <limits>
#include <string>

#include "common/time/clock.h"
#include "common/time/fake_clock.h"
#include "common/time/time_anchor.h"
#include "gtest/gtest.h"

namespace hail {
namespace {

const absl::Time kWall = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kDomain = absl::FromUnixSeconds(1'211'500'000);

TEST(TimeScaleTest, IsTheIdentityByDefault) {
  const TimeScale scale;
  const absl::Time odd = kWall + absl::Nanoseconds(123'456'789);
  EXPECT_EQ(scale.ToDomain(odd), odd);
  EXPECT_EQ(scale.ToWall(odd), odd);
  EXPECT_EQ(scale.ToWall(absl::Nanoseconds(1)), absl::Nanoseconds(1));
}

TEST(TimeScaleTest, RunsFromItsAnchor) {
  const TimeScale scale{kWall, kDomain, 30};
  EXPECT_EQ(scale.ToDomain(kWall), kDomain);
  EXPECT_EQ(scale.ToDomain(kWall + absl::Seconds(2)), kDomain + absl::Minutes(1));
  EXPECT_EQ(scale.ToDomain(kWall - absl::Seconds(2)), kDomain - absl::Minutes(1));
  EXPECT_EQ(scale.ToWall(kDomain + absl::Minutes(1)), kWall + absl::Seconds(2));
  EXPECT_EQ(scale.ToWall(absl::Seconds(15)), absl::Milliseconds(500));
  EXPECT_EQ(scale.ToDomain(absl::Milliseconds(500)), absl::Seconds(15));
}

TEST(TimeScaleTest, KeepsInfinity) {
  const TimeScale scale{kWall, kDomain, 30};
  EXPECT_EQ(scale.ToDomain(absl::InfiniteFuture()), absl::InfiniteFuture());
  EXPECT_EQ(scale.ToWall(absl::InfinitePast()), absl::InfinitePast());
}

TEST(SystemClockTest, ReadsBothTimesAtOneInstant) {
  const SystemClock clock({kWall, kDomain, 10});
  const absl::Time before = WallNow();
  const Now now = clock.Read();
  EXPECT_GE(now.wall, before);
  EXPECT_LE(now.wall, WallNow());
  EXPECT_EQ(now.domain, clock.scale().ToDomain(now.wall));
  EXPECT_EQ(clock.scale().scale, 10);
}

TEST(FakeClockTest, MovesOnlyWhenTold) {
  FakeClock clock(kWall, {kWall, kDomain, 30});
  EXPECT_EQ(clock.Read().wall, kWall);
  EXPECT_EQ(clock.Read().domain, kDomain);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(clock.Read().wall, kWall + absl::Seconds(1));
  EXPECT_EQ(clock.Read().domain, kDomain + absl::Seconds(30));
}

TEST(ParseTimeScaleTest, ReadsAnchorsExactly) {
  const auto scale = ParseTimeScale(30, "1800000000.000000001:1211500000.25");
  ASSERT_TRUE(scale.ok()) << scale.status();
  EXPECT_EQ(scale->anchor_wall, kWall + absl::Nanoseconds(1));
  EXPECT_EQ(scale->anchor_domain, kDomain + absl::Milliseconds(250));
  EXPECT_EQ(scale->scale, 30);
}

TEST(ParseTimeScaleTest, NeedsNoAnchorAtNormalSpeed) {
  const auto plain = ParseTimeScale(1, "");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->ToDomain(kWall), kWall);
  const auto shifted = ParseTimeScale(1, "1800000000:1211500000");
  ASSERT_TRUE(shifted.ok());
  EXPECT_EQ(shifted->ToDomain(kWall + absl::Seconds(5)), kDomain + absl::Seconds(5));
}

TEST(ParseTimeScaleTest, RefusesTheRest) {
  EXPECT_FALSE(ParseTimeScale(2, "").ok());
  EXPECT_FALSE(ParseTimeScale(0, "1:2").ok());
  EXPECT_FALSE(ParseTimeScale(-1, "1:2").ok());
  EXPECT_FALSE(ParseTimeScale(std::numeric_limits<double>::quiet_NaN(), "1:2").ok());
  EXPECT_FALSE(ParseTimeScale(std::numeric_limits<double>::infinity(), "1:2").ok());
  for (const std::string bad : {"1", ":", "1:", ":2", "1:2:3", "1h:2", "x:2", "1:2s", "1e3:2", " 1:2", "1.2.3:4"}) {
    EXPECT_FALSE(ParseTimeScale(2, bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace hail
