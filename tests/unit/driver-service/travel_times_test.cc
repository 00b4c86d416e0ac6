#include "driver-service/domain/travel_times.h"

#include "gtest/gtest.h"

namespace hail::driver {
namespace {

constexpr LatLng kSanFrancisco{37.7793, -122.4193};
constexpr LatLng kNewYork{40.7580, -73.9855};

TEST(StraightLineTravelTimes, IsRoadLengthBySpeedOfTheLocalHour) {
  StraightLineTravelTimes::Options options;
  options.circuity = 1.5;
  options.speed_mps.fill(10);
  options.speed_mps[17] = 5;
  const StraightLineTravelTimes times(options);
  const LatLng to = Toward(kSanFrancisco, 0, 1000);
  // 01:30 UTC is 17:20 by the sun in San Francisco, 20:34 in New York.
  const absl::Time evening = absl::FromUnixSeconds(1'700'000'000 / 86400 * 86400 + 5400);
  EXPECT_NEAR(times.Estimate(kSanFrancisco, to, evening).distance_m, 1500, 0.1);
  EXPECT_NEAR(absl::ToDoubleSeconds(times.Estimate(kSanFrancisco, to, evening).time), 300, 0.1);
  EXPECT_NEAR(absl::ToDoubleSeconds(times.Estimate(kSanFrancisco, to, evening + absl::Hours(1)).time), 150, 0.1);
  const LatLng uptown = Toward(kNewYork, 0, 1000);
  EXPECT_NEAR(absl::ToDoubleSeconds(times.Estimate(kNewYork, uptown, evening).time), 150, 0.1);
}

TEST(StraightLineTravelTimes, EveryHourOfTheDayHasASpeed) {
  const StraightLineTravelTimes times;
  for (int hour = -30; hour < 60; ++hour) {
    const TravelEstimate way =
        times.Estimate(kSanFrancisco, Toward(kSanFrancisco, 90, 5000), absl::UnixEpoch() + absl::Hours(hour));
    EXPECT_GT(way.time, absl::Minutes(10));
    EXPECT_LT(way.time, absl::Minutes(22));
  }
  EXPECT_EQ(times.Estimate(kSanFrancisco, kSanFrancisco, absl::UnixEpoch()).time, absl::ZeroDuration());
}

}  // namespace
}  // namespace hail::driver
