#include "tests/tools/hail-sim/city.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "tests/tools/hail-sim/report.h"

namespace hail::sim {
namespace {

// 20:00 in San Francisco.
const absl::Time kEvening = absl::FromUnixSeconds(1'211'511'600);

TEST(DrawTrips, FollowsFromTheSeed) {
  const City& city = **FindCity("san_francisco");
  const auto once = DrawTrips(city, 3, kEvening, absl::Hours(1), 100);
  const auto again = DrawTrips(city, 3, kEvening, absl::Hours(1), 100);
  const auto other = DrawTrips(city, 4, kEvening, absl::Hours(1), 100);
  ASSERT_EQ(once.size(), 100u);
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].pickup, again[i].pickup);
    EXPECT_EQ(once[i].request_time, again[i].request_time);
  }
  EXPECT_NE(once[0].pickup, other[0].pickup);
}

TEST(DrawTrips, HasTheLengthsThatWereCounted) {
  for (const auto& [name, median] : {std::pair{"san_francisco", 2'338.0}, std::pair{"new_york", 2'219.0}}) {
    Samples lengths;
    // A whole day, so that no part of the pattern is missing.
    for (const Trip& trip : DrawTrips(**FindCity(name), 1, kEvening, absl::Hours(24), 4'000)) {
      lengths.Add(DistanceM(trip.pickup, trip.dropoff));
    }
    EXPECT_NEAR(lengths.Quantile(0.5), median, 0.25 * median) << name;
    EXPECT_GT(lengths.Quantile(0.75), 1.3 * median) << name;
  }
}

TEST(DrawTrips, FollowsTheHoursOfTheDay) {
  const City& city = **FindCity("san_francisco");
  int evening = 0;
  int night = 0;
  for (const Trip& trip : DrawTrips(city, 1, kEvening, absl::Hours(24), 5'000)) {
    const std::int64_t hour = (absl::ToUnixSeconds(trip.request_time) / 3'600 - 7) % 24;
    if (hour == 21) ++evening;
    if (hour == 3) ++night;
  }
  // 7.33 % of the day's trips against 0.73 %.
  EXPECT_GT(evening, 6 * night);
}

TEST(DrawTrips, IsOverInTime) {
  const absl::Duration length = absl::Minutes(20);
  int late = 0;
  const auto trips = DrawTrips(**FindCity("san_francisco"), 1, kEvening, length, 300);
  for (const Trip& trip : trips) {
    EXPECT_GE(trip.request_time, kEvening);
    if (trip.request_time + absl::Seconds(330) + *trip.duration > kEvening + length) ++late;
  }
  EXPECT_LE(late, 3);
  EXPECT_TRUE(std::is_sorted(trips.begin(), trips.end(),
                             [](const Trip& a, const Trip& b) { return a.request_time < b.request_time; }));
}

TEST(DrawTrips, NeverEndsWhereItStarts) {
  for (const Trip& trip : DrawTrips(**FindCity("new_york"), 1, kEvening, absl::Hours(2), 2'000)) {
    EXPECT_GE(DistanceM(trip.pickup, trip.dropoff), 299);
  }
}

TEST(DrawStarts, PutsCarsWhereThereIsDemand) {
  const std::vector<Start> starts = DrawStarts(**FindCity("san_francisco"), 1, 200);
  ASSERT_EQ(starts.size(), 200u);
  EXPECT_EQ(starts[7].taxi_id, "cab-7");
  for (const Start& start : starts) EXPECT_LT(DistanceM(start.position, {37.7, -122.4}), 20'000);
}

TEST(FindCity, KnowsTwo) { EXPECT_FALSE(FindCity("atlantis").ok()); }

}  // namespace
}  // namespace hail::sim
