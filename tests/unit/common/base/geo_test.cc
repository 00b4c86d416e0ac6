#include <cmath>
#include <limits>
#include <string>

#include "common/errors/error.h"
#include "common/geo/lat_lng.h"
#include "gtest/gtest.h"

namespace hail {
namespace {

constexpr double kRadiusM = 6'371'008.8;
const LatLng kFerryBuilding{37.7955, -122.3937};
const LatLng kAirport{37.6213, -122.3790};

TEST(DistanceTest, FollowsTheSphere) {
  EXPECT_DOUBLE_EQ(DistanceM(kFerryBuilding, kFerryBuilding), 0);
  // A degree along a meridian, and along the equator, is 1/360 of the great circle.
  EXPECT_NEAR(DistanceM({10, 20}, {11, 20}), 2 * M_PI * kRadiusM / 360, 0.01);
  EXPECT_NEAR(DistanceM({0, 20}, {0, 21}), 2 * M_PI * kRadiusM / 360, 0.01);
  // Worked out by the spherical law of cosines.
  const double lat_a = kFerryBuilding.latitude_deg * M_PI / 180;
  const double lat_b = kAirport.latitude_deg * M_PI / 180;
  const double turn = (kAirport.longitude_deg - kFerryBuilding.longitude_deg) * M_PI / 180;
  const double angle =
      std::acos(std::sin(lat_a) * std::sin(lat_b) + std::cos(lat_a) * std::cos(lat_b) * std::cos(turn));
  EXPECT_NEAR(DistanceM(kFerryBuilding, kAirport), kRadiusM * angle, 1);
  EXPECT_DOUBLE_EQ(DistanceM(kFerryBuilding, kAirport), DistanceM(kAirport, kFerryBuilding));
}

TEST(DistanceTest, HoldsAtTheEdges) {
  EXPECT_NEAR(DistanceM({0, 179.9}, {0, -179.9}), DistanceM({0, 0}, {0, 0.2}), 0.01);
  EXPECT_NEAR(DistanceM({90, 0}, {-90, 77}), M_PI * kRadiusM, 0.01);
  EXPECT_NEAR(DistanceM({0, 0}, {0, 180}), M_PI * kRadiusM, 0.01);
}

TEST(TowardTest, GoesTheDistanceInTheDirection) {
  for (const double bearing : {0.0, 45.0, 90.0, 180.0, 270.0, 359.0}) {
    for (const double distance : {1.0, 500.0, 20'000.0}) {
      EXPECT_NEAR(DistanceM(kFerryBuilding, Toward(kFerryBuilding, bearing, distance)), distance, 1e-3)
          << bearing << " " << distance;
    }
  }
  EXPECT_GT(Toward(kFerryBuilding, 0, 100).latitude_deg, kFerryBuilding.latitude_deg);
  EXPECT_NEAR(Toward(kFerryBuilding, 0, 100).longitude_deg, kFerryBuilding.longitude_deg, 1e-9);
  EXPECT_GT(Toward(kFerryBuilding, 90, 100).longitude_deg, kFerryBuilding.longitude_deg);
  EXPECT_LT(Toward(kFerryBuilding, 270, 100).longitude_deg, kFerryBuilding.longitude_deg);
}

TEST(TowardTest, StaysInRangeAcrossTheAntimeridian) {
  const LatLng east = Toward({0, 179.9}, 90, 50'000);
  EXPECT_LT(east.longitude_deg, -179);
  EXPECT_GE(east.longitude_deg, -180);
}

std::string FieldOf(const absl::Status& status) {
  const auto details = DetailsOf(status);
  return details && details->reason == Reason::kInvalidField ? details->field : "none";
}

TEST(CheckLatLngTest, TakesTheWholeEarth) {
  for (const LatLng& point : {kAirport, LatLng{90, 180}, LatLng{-90, -180}, LatLng{0, 10}, LatLng{10, 0},
                              LatLng{0.0011, 0}, LatLng{0, -0.0011}}) {
    EXPECT_TRUE(CheckLatLng(point, "p").ok()) << point.latitude_deg << " " << point.longitude_deg;
  }
}

TEST(CheckLatLngTest, NamesThePartAtFault) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinite, -infinite, 90.0001, -90.0001}) {
    EXPECT_EQ(FieldOf(CheckLatLng({bad, 10}, "pickup.position")), "pickup.position.latitude_deg") << bad;
  }
  for (const double bad : {nan, infinite, -infinite, 180.0001, -180.0001}) {
    EXPECT_EQ(FieldOf(CheckLatLng({10, bad}, "pickup.position")), "pickup.position.longitude_deg") << bad;
  }
  EXPECT_EQ(FieldOf(CheckLatLng({0, 0}, "pickup.position")), "pickup.position");
  EXPECT_EQ(FieldOf(CheckLatLng({-0.0009, 0.0009}, "pickup.position")), "pickup.position");
}

}  // namespace
}  // namespace hail
