#include "tests/tools/hail-sim/rejects.h"

#include <limits>

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

const LatLng kMidtown{40.7549, -73.9840};
const LatLng kSoho{40.7233, -74.0030};

TEST(ExpectedAnswer, JudgesPlacesAlone) {
  EXPECT_EQ(ExpectedAnswer({"drop_odometer<straight", kMidtown, kSoho}), "OK");
  EXPECT_EQ(ExpectedAnswer({"drop_speed>130kmh", kMidtown, kSoho}), "OK");
}

TEST(ExpectedAnswer, RefusesTheZeroIslandAndWhatIsNoPlace) {
  EXPECT_EQ(ExpectedAnswer({"", {0, 0}, kSoho}), "INVALID_FIELD");
  EXPECT_EQ(ExpectedAnswer({"", kMidtown, {0, 0}}), "INVALID_FIELD");
  EXPECT_EQ(ExpectedAnswer({"", kMidtown, {140.2, -73.9}}), "INVALID_FIELD");
  EXPECT_EQ(ExpectedAnswer({"", {std::numeric_limits<double>::quiet_NaN(), -73.9}, kSoho}), "INVALID_FIELD");
}

TEST(ExpectedAnswer, RefusesRidesToNowhere) {
  EXPECT_EQ(ExpectedAnswer({"", kMidtown, kMidtown}), "INVALID_FIELD");
  EXPECT_EQ(ExpectedAnswer({"", kMidtown, Toward(kMidtown, 90, 19)}), "INVALID_FIELD");
  EXPECT_EQ(ExpectedAnswer({"", kMidtown, Toward(kMidtown, 90, 21)}), "OK");
}

TEST(ExpectedAnswer, KnowsWhereHailIs) {
  EXPECT_EQ(ExpectedAnswer({"", kMidtown, {40.8317, -81.3000}}), "OUTSIDE_SERVICE_AREA");
  // Newark's suburbs.
  EXPECT_EQ(ExpectedAnswer({"", {40.771744, -74.199997}, kMidtown}), "OUTSIDE_SERVICE_AREA");
  // Only the longitude is near zero: a place in the sea.
  EXPECT_EQ(ExpectedAnswer({"", {40.7644, -0.0283}, kMidtown}), "OUTSIDE_SERVICE_AREA");
}

}  // namespace
}  // namespace hail::sim
