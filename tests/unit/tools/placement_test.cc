#include "tests/tools/hail-sim/placement.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

const LatLng kHere{37.7936, -122.3965};

TEST(ParsePlace, TakesDegrees) {
  EXPECT_EQ(*ParsePlace("37.7936,-122.3965"), kHere);
  EXPECT_EQ(*ParsePlace("-33.86, 151.2"), (LatLng{-33.86, 151.2}));
}

TEST(ParsePlace, RefusesWhatIsNoPlace) {
  for (const char* text : {"", "37.7936", "37.7936,", ",", "here,there", "37.7936,-122.3965,Ferry Building", "91,0.5",
                           "37,181", "nan,1", "inf,1", "0,0"}) {
    EXPECT_FALSE(ParsePlace(text).ok()) << text;
  }
}

TEST(SpreadOver, FillsTheCircleNearestFirst) {
  const std::vector<LatLng> places = SpreadOver(kHere, 1'000, 40);
  ASSERT_EQ(places.size(), 40u);
  double before = 0;
  for (const LatLng& place : places) {
    EXPECT_GT(DistanceM(kHere, place), before);
    before = DistanceM(kHere, place);
    EXPECT_LE(before, 1'000);
  }
  // The area grows with the square: half the places are in the inner half of it.
  EXPECT_EQ(std::count_if(places.begin(), places.end(),
                          [](const LatLng& place) { return DistanceM(kHere, place) < 1'000 / std::sqrt(2.0); }),
            20);
  // Anywhere in the circle a driver is near: 40 places have a circle of 158 m radius each.
  for (int bearing = 0; bearing < 360; bearing += 15) {
    for (const double distance : {100.0, 400.0, 700.0, 950.0}) {
      const LatLng spot = Toward(kHere, bearing, distance);
      double nearest = 1e9;
      for (const LatLng& place : places) nearest = std::min(nearest, DistanceM(spot, place));
      EXPECT_LT(nearest, 300) << bearing << " " << distance;
    }
  }
}

TEST(SpreadOver, OneIsNotAtTheVeryPlace) {
  EXPECT_NEAR(DistanceM(kHere, SpreadOver(kHere, 1'000, 1).at(0)), 707, 1);
  EXPECT_TRUE(SpreadOver(kHere, 1'000, 0).empty());
}

TEST(DrawTripNear, BeginsNearAndIsSomeMinutesLong) {
  Random random(1, "test");
  int in_outer_half = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Trip trip = DrawTripNear(kHere, 1'000, random);
    EXPECT_LE(DistanceM(kHere, trip.pickup), 1'000.001);
    in_outer_half += DistanceM(kHere, trip.pickup) > 1'000 / std::sqrt(2.0) ? 1 : 0;
    EXPECT_GE(DistanceM(trip.pickup, trip.dropoff), 499.999);
    EXPECT_LE(DistanceM(trip.pickup, trip.dropoff), 2'000.001);
    EXPECT_EQ(trip.seats, 1);
  }
  EXPECT_NEAR(in_outer_half, 500, 80);
}

}  // namespace
}  // namespace hail::sim
