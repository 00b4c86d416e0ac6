#include "driver-service/roads/road_speeds.h"

#include "gtest/gtest.h"

namespace hail::driver {
namespace {

TEST(FreeSpeedMps, KnowsClassesThatCarsDriveOn) {
  EXPECT_NEAR(FreeSpeedMps("residential").value(), 11.18, 0.01);
  EXPECT_GT(FreeSpeedMps("motorway").value(), FreeSpeedMps("primary").value());
  EXPECT_FALSE(FreeSpeedMps("footway"));
  EXPECT_FALSE(FreeSpeedMps(""));
}

TEST(CongestionFactors, AreAboutTheMedianAndWorstInTheAfternoon) {
  const std::array<double, 24> factors = CongestionFactors();
  EXPECT_LT(factors[3], 1.5);
  EXPECT_GT(factors[16], 2.5);
  EXPECT_NEAR(factors[21], 2.16, 0.3);
}

TEST(SetObservedTimes, GivesBackTimesThatGoUpAndDownTogether) {
  RoadNetwork network;
  network.nodes.resize(2);
  network.edges = {{0, 1, 100, 0}, {1, 0, 300, 0}};
  HourlySeconds quick;
  HourlySeconds slow;
  for (std::size_t hour = 0; hour < 24; ++hour) {
    quick[hour] = hour == 17 ? 30 : 10;
    slow[hour] = 4 * quick[hour];
  }
  const HourlySeconds observed[] = {quick, slow};
  SetObservedTimes(observed, &network);
  for (const std::size_t hour : {0, 17}) {
    EXPECT_NEAR(network.edges[0].time_s * network.hour_factors[hour], quick[hour], 1e-9);
    EXPECT_NEAR(network.edges[1].time_s * network.hour_factors[hour], slow[hour], 1e-9);
  }
}

TEST(SetObservedTimes, AveragesWhatAnEdgeHasAgainstAllOthers) {
  RoadNetwork network;
  network.nodes.resize(2);
  network.edges = {{0, 1, 100, 0}, {1, 0, 100, 0}};
  HourlySeconds first;
  HourlySeconds second;
  for (std::size_t hour = 0; hour < 24; ++hour) {
    first[hour] = hour % 2 == 0 ? 5 : 15;
    second[hour] = 20 - first[hour];
  }
  const HourlySeconds observed[] = {first, second};
  SetObservedTimes(observed, &network);
  EXPECT_NEAR(network.edges[0].time_s, 10, 1e-9);
  EXPECT_NEAR(network.hour_factors[0], 1, 1e-9);
}

TEST(SetObservedTimes, TakesNothingObservedAsNothingKnown) {
  RoadNetwork network;
  network.edges = {{0, 1, 100, 7}};
  const HourlySeconds observed[] = {{}};
  SetObservedTimes(observed, &network);
  EXPECT_EQ(network.edges[0].time_s, 7);
  EXPECT_EQ(network.hour_factors[0], 1);
  // An hour without any is like the day.
  HourlySeconds some{};
  some[3] = 24;
  SetObservedTimes({&some, 1}, &network);
  EXPECT_EQ(network.hour_factors[4], 1);
}

}  // namespace
}  // namespace hail::driver
