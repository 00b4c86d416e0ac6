#include "tests/tools/hail-sim/motion.h"

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'000);
const LatLng kHere{37.78, -122.42};

TEST(Motion, StandsUntilTold) {
  Motion motion(kHere);
  EXPECT_EQ(motion.At(kStart), kHere);
  EXPECT_FALSE(motion.Moving(kStart));
  EXPECT_EQ(motion.SpeedMps(kStart), 0);
}

TEST(Motion, DrivesEvenlyAndArrives) {
  Motion motion(kHere);
  const LatLng there = Toward(kHere, 90, 1'000);
  EXPECT_EQ(motion.DriveTo(kStart, there, absl::Seconds(100)), absl::Seconds(100));
  EXPECT_NEAR(DistanceM(motion.At(kStart + absl::Seconds(30)), kHere), 300, 1);
  EXPECT_NEAR(motion.SpeedMps(kStart + absl::Seconds(30)), 10, 0.1);
  EXPECT_NEAR(motion.HeadingDeg(), 90, 1);
  EXPECT_EQ(motion.At(kStart + absl::Seconds(100)), there);
  EXPECT_FALSE(motion.Moving(kStart + absl::Seconds(100)));
}

TEST(Motion, TurnsFromWhereItIs) {
  Motion motion(kHere);
  motion.DriveTo(kStart, Toward(kHere, 90, 1'000), absl::Seconds(100));
  const LatLng half = motion.At(kStart + absl::Seconds(50));
  motion.DriveTo(kStart + absl::Seconds(50), kHere, absl::Seconds(50));
  EXPECT_EQ(motion.At(kStart + absl::Seconds(50)), half);
  EXPECT_EQ(motion.At(kStart + absl::Seconds(100)), kHere);
}

TEST(Motion, NeverDrivesFasterThanCarsDo) {
  Motion motion(kHere);
  const absl::Duration takes = motion.DriveTo(kStart, Toward(kHere, 0, 33'000), absl::Seconds(1));
  EXPECT_NEAR(absl::ToDoubleSeconds(takes), 1'000, 1);
  EXPECT_LE(motion.SpeedMps(kStart + absl::Seconds(5)), kTopSpeedMps + 0.01);
}

TEST(Motion, StopsWhereItIs) {
  Motion motion(kHere);
  motion.DriveTo(kStart, Toward(kHere, 180, 1'000), absl::Seconds(100));
  motion.Stop(kStart + absl::Seconds(20));
  EXPECT_NEAR(DistanceM(motion.At(kStart + absl::Seconds(90)), kHere), 200, 1);
}

TEST(DriveTime, IsSlowInTownAndFastOnTheWayToTheAirport) {
  EXPECT_NEAR(2'000 / absl::ToDoubleSeconds(DriveTime(2'000)) * 3.6, 20.3 / 1.2, 0.1);
  EXPECT_NEAR(19'000 / absl::ToDoubleSeconds(DriveTime(19'000)) * 3.6, 49.7 / 1.2, 0.1);
}

}  // namespace
}  // namespace hail::sim
