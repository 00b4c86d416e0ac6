#include "tests/tools/hail-sim/records.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "tests/unit/temp_file.h"

namespace hail::sim {
namespace {

using testing::TempDirectory;

constexpr char kHeader[] =
    "trip_id,taxi_id,request_time_utc,request_time_local,pickup_lat,pickup_lon,dropoff_lat,dropoff_lon,passengers,"
    "duration_s,path_km,straight_km\n";

std::string Row(const std::string& id, int time, const std::string& passengers, const std::string& duration) {
  return id + ",cab," + std::to_string(time) + ",x,37.78,-122.42,37.77,-122.40," + passengers + "," + duration +
         ",2,1\n";
}

TEST(ReadTrips, TakesTheWindowAndSortsByTime) {
  TempDirectory directory;
  const std::string path = directory.Write("t", kHeader + Row("late", 205, "", "") + Row("early", 101, "3", "480") +
                                                    Row("before", 99, "", "") + Row("after", 300, "", ""));
  const auto trips = ReadTrips(path, {absl::FromUnixSeconds(100), absl::FromUnixSeconds(300)}, 1);
  ASSERT_TRUE(trips.ok()) << trips.status();
  ASSERT_EQ(trips->size(), 2u);
  EXPECT_EQ((*trips)[0].trip_id, "early");
  EXPECT_EQ((*trips)[0].seats, 3);
  EXPECT_EQ((*trips)[0].duration, absl::Seconds(480));
  EXPECT_EQ((*trips)[0].pickup, (LatLng{37.78, -122.42}));
  EXPECT_EQ((*trips)[1].trip_id, "late");
  EXPECT_EQ((*trips)[1].seats, 1);
  EXPECT_EQ((*trips)[1].duration, std::nullopt);
}

TEST(ReadTrips, SpreadsRoundedTimesOverTheirMinuteAlwaysTheSameWay) {
  TempDirectory directory;
  std::string text = kHeader;
  for (int i = 0; i < 50; ++i) text += Row("t" + std::to_string(i), 120, "", "");
  // One taximeter in fifty recorded the second.
  text += Row("exact", 150, "", "");
  const std::string path = directory.Write("t", text);
  const auto once = ReadTrips(path, {}, 7);
  const auto again = ReadTrips(path, {}, 7);
  ASSERT_TRUE(once.ok());
  EXPECT_LT(once->front().request_time, absl::FromUnixSeconds(130));
  EXPECT_GT(once->back().request_time, absl::FromUnixSeconds(170));
  EXPECT_LT(once->back().request_time, absl::FromUnixSeconds(180));
  for (std::size_t i = 0; i < once->size(); ++i) EXPECT_EQ((*once)[i].request_time, (*again)[i].request_time);
  const auto exact = std::find_if(once->begin(), once->end(), [](const Trip& trip) { return trip.trip_id == "exact"; });
  EXPECT_EQ(exact->request_time, absl::FromUnixSeconds(150));
}

TEST(ReadTrips, SaysWhatIsWrong) {
  TempDirectory directory;
  EXPECT_FALSE(ReadTrips(directory.Write("t", kHeader + Row("x", 120, "many", "")), {}, 1).ok());
}

TEST(ReadStarts, TakesEachCabsFirstPingInTheWindow) {
  TempDirectory directory;
  const std::string path = directory.WriteGzip("t.gz",
                                               "time_utc,taxi_id,lat,lon,occupied\n"
                                               "90,a,1,1,0\n100,b,2,2,1\n110,a,3,3,0\n120,b,4,4,0\n200,c,5,5,0\n");
  const auto starts = ReadStarts(path, {absl::FromUnixSeconds(100), absl::FromUnixSeconds(200)});
  ASSERT_TRUE(starts.ok()) << starts.status();
  ASSERT_EQ(starts->size(), 2u);
  EXPECT_EQ((*starts)[0].taxi_id, "b");
  EXPECT_EQ((*starts)[0].position, (LatLng{2, 2}));
  EXPECT_EQ((*starts)[1].taxi_id, "a");
  EXPECT_EQ((*starts)[1].position, (LatLng{3, 3}));
}

TEST(ReadRejects, ReadsReasonAndPlaces) {
  TempDirectory directory;
  const auto rejects =
      ReadRejects(directory.Write("t", "why,pickup_lon,pickup_lat,dropoff_lon,dropoff_lat\ndrop_dur,-73.9,40.7,0,0\n"));
  ASSERT_TRUE(rejects.ok());
  EXPECT_EQ(rejects->front().why, "drop_dur");
  EXPECT_EQ(rejects->front().pickup, (LatLng{40.7, -73.9}));
}

}  // namespace
}  // namespace hail::sim
