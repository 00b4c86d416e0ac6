#include "rider-service/api/telemetry.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

using hail::internal::v1::DriverLocation;
using hail::rider::v1::RideTelemetry;
using ::testing::ElementsAre;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

Now After(double seconds) { return {kStart + absl::Seconds(seconds), kStart + absl::Seconds(seconds)}; }

DriverLocation Location(double latitude_deg, std::uint64_t number, double age_s = 0, std::int64_t session_epoch = 5,
                        std::int64_t epoch = 1) {
  DriverLocation location;
  location.set_driver_id("d1");
  location.set_ride_id("r1");
  location.set_epoch(epoch);
  location.set_session_epoch(session_epoch);
  location.mutable_position()->mutable_location()->set_latitude_deg(latitude_deg);
  location.mutable_position()->mutable_location()->set_longitude_deg(-122.4);
  location.mutable_position()->set_position_seq(number);
  Encode(absl::Seconds(age_s), location.mutable_position()->mutable_age());
  location.mutable_eta()->set_seconds(77);
  return location;
}

class TelemetryTest : public ::testing::Test {
 protected:
  bool Report(const DriverLocation& location, double at) { return board_.Report(location, After(at)); }
  // Of an assignment at kStart.
  std::optional<RideTelemetry> Show(double at, std::int64_t epoch = 1) {
    return board_.Show("r1", epoch, kStart, After(at));
  }
  double Latitude(double at) { return Show(at)->position().location().latitude_deg(); }
  absl::Time Observed() { return board_.Latest("r1", 1)->observed; }

  PositionCache board_{kArrivalJitter, kStart - absl::Hours(1)};
};

// ---- The order

TEST_F(TelemetryTest, WhatIsOlderByItsAgeIsLeftOutWhateverItsNumber) {
  EXPECT_TRUE(Report(Location(37.1, 1), 1));
  EXPECT_FALSE(Report(Location(37.2, 2, 100), 2));
  EXPECT_FALSE(Report(Location(37.2, 1, 100, 6), 2)) << "of a later session";
  EXPECT_EQ(Latitude(2), 37.1);
  EXPECT_EQ(Observed(), After(1).domain);
}

TEST_F(TelemetryTest, NumbersThatStandStillOrStartAgainFreezeNothing) {
  EXPECT_TRUE(Report(Location(37.1, UINT64_MAX), 1));
  EXPECT_TRUE(Report(Location(37.2, 1), 4));
  EXPECT_TRUE(Report(Location(37.3, 0), 5));
  EXPECT_TRUE(Report(Location(37.4, 0), 6));
  EXPECT_EQ(Latitude(6), 37.4);
}

TEST_F(TelemetryTest, NumbersOrderWhatWasObservedAtNearlyTheSameTime) {
  EXPECT_TRUE(Report(Location(37.1, 7), 1));
  EXPECT_FALSE(Report(Location(37.2, 6), 1.5));
  EXPECT_FALSE(Report(Location(37.1, 7), 1.5)) << "the same again";
  EXPECT_TRUE(Report(Location(37.3, 8, 1), 1.5));
  EXPECT_EQ(Latitude(2), 37.3);
  EXPECT_GT(Observed(), After(1).domain) << "when the driver was last seen never goes back";
  EXPECT_FALSE(Report(Location(37.4, 9, 0, 4), 9)) << "of an earlier session";
}

TEST_F(TelemetryTest, EachAssignmentStartsAnew) {
  EXPECT_TRUE(Report(Location(37.1, 7), 1));
  EXPECT_TRUE(Report(Location(37.2, 1, 100, 2, 2), 2)) << "another driver has the ride";
  EXPECT_FALSE(Report(Location(37.3, 8), 3));
  EXPECT_EQ(board_.Latest("r1", 1), nullptr);
  EXPECT_EQ(board_.Latest("r1", 2)->observed, After(-98).domain);
}

TEST_F(TelemetryTest, SubscribersHearOfWhatIsTaken) {
  std::vector<double> received;
  const auto subscription = board_.Subscribe("r1", [&](const std::shared_ptr<const DriverFix>& fix) {
    received.push_back(fix->telemetry.position().location().latitude_deg());
  });
  Report(Location(37.1, 1), 1);
  Report(Location(37.2, 2, 100), 2);
  Report(Location(37.3, 3), 3);
  EXPECT_THAT(received, ElementsAre(37.1, 37.3));
}

// ---- Missing positions

TEST_F(TelemetryTest, APositionIsMissingHalfAMinuteAfterItWasObserved) {
  Report(Location(37.1, 1, 4), 10);
  EXPECT_FALSE(Show(36)->has_missing_since());
  EXPECT_EQ(Show(36)->position().age().seconds(), 30);
  EXPECT_TRUE(Show(36)->has_eta());
  const std::optional<RideTelemetry> missing = Show(36.1);
  ASSERT_TRUE(missing->has_missing_since());
  EXPECT_EQ(DecodeTime(missing->missing_since()), After(6).domain);
  EXPECT_EQ(missing->position().location().latitude_deg(), 37.1) << "the last known position";
  EXPECT_FALSE(missing->has_eta()) << "the car may be anywhere";
  EXPECT_EQ(missing->ride_id(), "r1");
  EXPECT_EQ(missing->epoch(), 1);
  Report(Location(37.2, 2), 40);
  EXPECT_FALSE(Show(41)->has_missing_since());
}

TEST_F(TelemetryTest, WithoutAPositionItIsMissingSinceTheAssignment) {
  EXPECT_FALSE(Show(30).has_value());
  const std::optional<RideTelemetry> missing = Show(31);
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(DecodeTime(missing->missing_since()), kStart);
  EXPECT_FALSE(missing->has_position());
  EXPECT_EQ(missing->ride_id(), "r1");
  EXPECT_EQ(missing->epoch(), 1);
}

TEST_F(TelemetryTest, ANewProcessMissesNothingBeforeItCouldHaveHeard) {
  PositionCache board(kArrivalJitter, After(600).domain);
  EXPECT_FALSE(board.Show("r1", 1, kStart, After(630)).has_value());
  const std::optional<RideTelemetry> missing = board.Show("r1", 1, kStart, After(631));
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(DecodeTime(missing->missing_since()), After(600).domain);
}

TEST_F(TelemetryTest, WhatLiesForLongIsDropped) {
  Report(Location(37.1, 1), 1);
  board_.DropOlderThan(After(1).wall);
  EXPECT_EQ(board_.size(), 1u);
  board_.DropOlderThan(After(2).wall);
  EXPECT_EQ(board_.size(), 0u);
}

}  // namespace
}  // namespace hail::rider
