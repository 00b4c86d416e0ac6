#include "driver-service/domain/position_rules.h"

#include <cmath>
#include <limits>

#include "common/errors/error.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

constexpr LatLng kMarket{37.7793, -122.4193};

std::string FieldAtFault(const absl::Status& status) {
  const auto details = DetailsOf(status);
  return details.has_value() && details->reason == Reason::kInvalidField ? details->field : "none";
}

Fix GoodFix() {
  return {.point = kMarket, .position_seq = 1, .speed_mps = 12.0f, .heading_deg = 90.0f, .accuracy_m = 5.0f};
}

TEST(CheckFix, TakesWhatReceiversSend) {
  EXPECT_TRUE(CheckFix(GoodFix(), absl::ZeroDuration(), "p").ok());
  EXPECT_TRUE(CheckFix({.point = kMarket}, absl::ZeroDuration(), "p").ok());
  EXPECT_TRUE(CheckFix({.point = kMarket, .speed_mps = 0.0f, .heading_deg = 0.0f, .accuracy_m = 0.0f},
                       absl::ZeroDuration(), "p")
                  .ok());
  EXPECT_TRUE(CheckFix({.point = kMarket, .speed_mps = 90.0f, .heading_deg = 359.9f}, absl::ZeroDuration(), "p").ok());
  EXPECT_TRUE(CheckFix(GoodFix(), absl::Hours(2), "p").ok());
}

TEST(CheckFix, NamesTheImpossiblePart) {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  const auto fault = [](auto change) {
    Fix fix = GoodFix();
    change(fix);
    return FieldAtFault(CheckFix(fix, absl::ZeroDuration(), "positions[3]"));
  };
  EXPECT_EQ(fault([](Fix& fix) { fix.point = {0, 0}; }).rfind("positions[3].location", 0), 0u);
  EXPECT_EQ(fault([](Fix& fix) { fix.point.latitude_deg = std::nan(""); }), "positions[3].location.latitude_deg");
  EXPECT_EQ(fault([](Fix& fix) { fix.point.longitude_deg = 181; }), "positions[3].location.longitude_deg");
  for (const float speed : {-0.1f, 90.5f, nan, infinity}) {
    EXPECT_EQ(fault([speed](Fix& fix) { fix.speed_mps = speed; }), "positions[3].speed_mps") << speed;
  }
  for (const float heading : {-1.0f, 360.0f, nan}) {
    EXPECT_EQ(fault([heading](Fix& fix) { fix.heading_deg = heading; }), "positions[3].heading_deg") << heading;
  }
  for (const float accuracy : {-1.0f, infinity, nan}) {
    EXPECT_EQ(fault([accuracy](Fix& fix) { fix.accuracy_m = accuracy; }), "positions[3].accuracy_m") << accuracy;
  }
  EXPECT_EQ(FieldAtFault(CheckFix(GoodFix(), -absl::Seconds(1), "positions[3]")), "positions[3].age");
  EXPECT_TRUE(CheckFix(GoodFix(), kMaxFixAge, "positions[3]").ok());
  EXPECT_EQ(FieldAtFault(CheckFix(GoodFix(), kMaxFixAge + absl::Seconds(1), "positions[3]")), "positions[3].age");
  EXPECT_EQ(FieldAtFault(CheckFix(GoodFix(), absl::InfiniteDuration(), "positions[3]")), "positions[3].age");
}

class CheckJumpTest : public ::testing::Test {
 protected:
  // From kMarket now, to `distance_m` north of it `later` on.
  absl::Status Jump(double distance_m, absl::Duration later, absl::Duration jitter = absl::ZeroDuration()) {
    const absl::Time start = absl::FromUnixSeconds(1'700'000'000);
    return CheckJump({.point = kMarket, .session_epoch = 7, .observed = start},
                     {.point = Toward(kMarket, 0, distance_m), .session_epoch = 7, .observed = start + later}, jitter,
                     "p");
  }
};

TEST_F(CheckJumpTest, TakesWhatACarCanDo) {
  EXPECT_TRUE(Jump(0, absl::ZeroDuration()).ok());
  EXPECT_TRUE(Jump(350, absl::Seconds(4)).ok());
  EXPECT_TRUE(Jump(100'000, absl::Hours(1)).ok());
}

TEST_F(CheckJumpTest, RefusesWhatNoCarCanDo) {
  EXPECT_EQ(FieldAtFault(Jump(370, absl::Seconds(4))), "p.location");
  EXPECT_EQ(FieldAtFault(Jump(3'000, absl::Seconds(4))), "p.location");
}

TEST_F(CheckJumpTest, NoiseOfTheReceiverIsNoJump) {
  EXPECT_TRUE(Jump(49, absl::ZeroDuration()).ok());
  EXPECT_FALSE(Jump(51, absl::ZeroDuration()).ok());
}

TEST_F(CheckJumpTest, MessagesThatArriveTogetherAreNoJump) {
  EXPECT_TRUE(Jump(170, absl::ZeroDuration(), absl::Seconds(2)).ok());
  EXPECT_FALSE(Jump(190, absl::ZeroDuration(), absl::Seconds(2)).ok());
}

TEST_F(CheckJumpTest, ANewerFixThatIsOlderByItsAgeIsJudgedAsTakenAtTheSameTime) {
  EXPECT_TRUE(Jump(40, -absl::Seconds(5)).ok());
  EXPECT_FALSE(Jump(400, -absl::Seconds(5)).ok());
}

TEST_F(CheckJumpTest, AnotherSessionMayBeAnywhere) {
  const Fix earlier{.point = kMarket, .session_epoch = 7, .observed = absl::UnixEpoch()};
  const Fix later{.point = Toward(kMarket, 0, 9'000), .session_epoch = 8, .observed = absl::UnixEpoch()};
  EXPECT_TRUE(CheckJump(earlier, later, absl::ZeroDuration(), "p").ok());
}

}  // namespace
}  // namespace hail::driver
