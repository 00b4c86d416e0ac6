#include "driver-service/domain/position_rules.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

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

// Gives the fixes of one driver, one after another, to a FixJudge, as LocationIndex does.
class FixJudgeTest : public ::testing::Test {
 protected:
  FixJudgeTest() : known_(At(0, absl::ZeroDuration(), 1)) {}

  // `north_m` from kMarket, `later` than the first.
  static Fix At(double north_m, absl::Duration later, std::uint64_t number,
                std::optional<float> accuracy_m = std::nullopt) {
    return {.point = Toward(kMarket, 0, north_m),
            .session_epoch = 7,
            .position_seq = number,
            .observed = absl::FromUnixSeconds(1'700'000'000) + later,
            .accuracy_m = accuracy_m};
  }
  static Fix At(double north_m, double later_s, std::uint64_t number, std::optional<float> accuracy_m = std::nullopt) {
    return At(north_m, absl::Seconds(later_s), number, accuracy_m);
  }

  FixVerdict Judge(Fix fix) {
    const FixVerdict verdict = FixJudge(jitter_).Judge(known_, held_, fix);
    if (IsTaken(verdict)) {
      EXPECT_EQ(held_.count, 0);
      EXPECT_GT(fix.observed, known_.observed) << "the known time never goes back";
      known_ = fix;
    }
    return verdict;
  }
  bool Doubted() const { return held_.count > 0; }

  absl::Duration jitter_ = absl::Seconds(2);
  Fix known_;
  FixJudge::Held held_;
};

// ---- The order of fixes

TEST_F(FixJudgeTest, AnOlderObservationNeverCountsWhateverItsNumber) {
  known_ = At(0, 0.0, 5);
  EXPECT_EQ(Judge(At(10, -100.0, 6)), FixVerdict::kOlder);
  EXPECT_EQ(Judge(At(10, -3.0, UINT64_MAX)), FixVerdict::kOlder);
  Fix of_a_later_session = At(10, -100.0, 1);
  of_a_later_session.session_epoch = 8;
  EXPECT_EQ(Judge(of_a_later_session), FixVerdict::kOlder);
  EXPECT_EQ(Judge(At(10, -1.9, 6)), FixVerdict::kTaken) << "messages arrived closer together than they were sent";
  EXPECT_EQ(known_.observed, At(0, 0.0, 5).observed + absl::Nanoseconds(1));
}

TEST_F(FixJudgeTest, NumbersTellApartWhatWasObservedAtNearlyTheSameTime) {
  known_ = At(0, 0.0, 5);
  EXPECT_EQ(Judge(At(10, 0.0, 4)), FixVerdict::kOlder);
  EXPECT_EQ(Judge(At(10, 1.0, 4)), FixVerdict::kOlder);
  EXPECT_EQ(Judge(At(10, 0.0, 6)), FixVerdict::kTaken);
  EXPECT_EQ(Judge(At(20, 0.0, 7)), FixVerdict::kTaken);
}

TEST_F(FixJudgeTest, OneThatIsSentAgainIsTheSame) {
  known_ = At(0, 0.0, 5);
  EXPECT_EQ(Judge(At(0, 0.0, 5)), FixVerdict::kOlder);
  EXPECT_EQ(Judge(At(0, 1.5, 5)), FixVerdict::kOlder);
}

TEST_F(FixJudgeTest, ANumberThatCannotRiseFreezesNobody) {
  known_ = At(0, 0.0, UINT64_MAX);
  EXPECT_EQ(Judge(At(10, 1.0, 1)), FixVerdict::kOlder);
  EXPECT_EQ(Judge(At(10, 3.0, 2)), FixVerdict::kTaken) << "it starts again";
  EXPECT_EQ(Judge(At(20, 4.0, 3)), FixVerdict::kTaken);
}

TEST_F(FixJudgeTest, ANumberThatStandsStillFreezesNobody) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{9}, UINT64_MAX}) {
    known_ = At(0, 0.0, number);
    for (int second = 1; second < 10; ++second) {
      ASSERT_EQ(Judge(At(10 * second, 1.0 * second, number)), FixVerdict::kTaken) << number << ", " << second;
    }
    EXPECT_EQ(Judge(At(90, 12.0, number)), FixVerdict::kTaken) << "parked";
  }
}

TEST_F(FixJudgeTest, WithoutNumbersAgesAlone) {
  known_ = At(0, 0.0, 0);
  EXPECT_EQ(Judge(At(10, -0.1, 0)), FixVerdict::kOlder);
  EXPECT_EQ(Judge(At(10, -0.1, 3)), FixVerdict::kOlder) << "nothing to compare it to";
  EXPECT_EQ(Judge(At(0, 0.0, 0)), FixVerdict::kOlder) << "the same again";
  EXPECT_EQ(Judge(At(10, 0.0, 0)), FixVerdict::kTaken) << "the next of its message";
}

TEST_F(FixJudgeTest, AnEarlierSessionIsOver) {
  Fix fix = At(10, 60.0, 99);
  fix.session_epoch = 6;
  EXPECT_EQ(Judge(fix), FixVerdict::kOlder);
}

TEST_F(FixJudgeTest, FollowsWhoHasJudgedAlready) {
  const FixJudge judge(jitter_);
  Fix far = At(50'000, 1.0, 2);
  EXPECT_TRUE(judge.Follow(known_, far));
  Fix older = At(10, -3.0, 2);
  EXPECT_FALSE(judge.Follow(known_, older));
  Fix pushed = At(10, -1.0, 2);
  EXPECT_TRUE(judge.Follow(known_, pushed));
  EXPECT_GT(pushed.observed, known_.observed);
}

// ---- How far a car gets

class JumpTest : public FixJudgeTest {
 protected:
  // Whether the judge takes a fix `distance_m` from the one before it.
  bool Possible(double distance_m, double later_s, absl::Duration jitter = absl::ZeroDuration(), float accuracy_m = 0,
                float known_accuracy_m = 0) {
    Fix known = At(0, 0.0, 1, known_accuracy_m);
    Fix fix = At(distance_m, later_s, 2, accuracy_m);
    FixJudge::Held held;
    const FixVerdict verdict = FixJudge(jitter).Judge(known, held, fix);
    EXPECT_TRUE(verdict == FixVerdict::kTaken || verdict == FixVerdict::kTooFar);
    return verdict == FixVerdict::kTaken;
  }
};

TEST_F(JumpTest, TakesWhatACarCanDo) {
  EXPECT_TRUE(Possible(0, 0));
  EXPECT_TRUE(Possible(350, 4));
  EXPECT_TRUE(Possible(100'000, 3600));
}

TEST_F(JumpTest, LeavesOutWhatNoCarCanDo) {
  EXPECT_FALSE(Possible(370, 4));
  EXPECT_FALSE(Possible(3'000, 4));
}

TEST_F(JumpTest, NoiseOfTheReceiverIsNoJump) {
  EXPECT_TRUE(Possible(49, 0));
  EXPECT_FALSE(Possible(51, 0));
}

TEST_F(JumpTest, MessagesThatArriveTogetherAreNoJump) {
  EXPECT_TRUE(Possible(170, 0, absl::Seconds(2)));
  EXPECT_FALSE(Possible(190, 0, absl::Seconds(2)));
}

TEST_F(JumpTest, WhatBothSayOfTheirAccuracyIsAllowedFor) {
  EXPECT_TRUE(Possible(6'000, 4, absl::ZeroDuration(), 10, 5'700));
  EXPECT_FALSE(Possible(6'000, 4, absl::ZeroDuration(), 10, 5'600));
  EXPECT_TRUE(Possible(540, 4, absl::ZeroDuration(), 100, 90));
  EXPECT_FALSE(Possible(560, 4, absl::ZeroDuration(), 100, 90));
}

TEST_F(JumpTest, AnotherSessionMayBeAnywhere) {
  Fix fix = At(9'000, 0.0, 1);
  fix.session_epoch = 8;
  EXPECT_EQ(Judge(fix), FixVerdict::kTaken);
}

// ---- Doubted fixes

TEST_F(FixJudgeTest, AFirstFixFarOffIsGivenUpForThreeThatAgree) {
  known_ = At(14'000, 0.0, 1, 5'000);
  EXPECT_FALSE(Doubted());
  EXPECT_EQ(Judge(At(0, 3.0, 2, 5)), FixVerdict::kTooFar);
  EXPECT_TRUE(Doubted());
  EXPECT_EQ(Judge(At(30, 6.0, 3, 5)), FixVerdict::kTooFar);
  EXPECT_EQ(Judge(At(60, 9.0, 4, 5)), FixVerdict::kTakenInstead);
  EXPECT_FALSE(Doubted());
  EXPECT_EQ(Judge(At(90, 12.0, 5, 5)), FixVerdict::kTaken);
}

TEST_F(FixJudgeTest, ADeviceThatDoesNotCountGetsOutOfItAsWell) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{2}}) {
    known_ = At(14'000, 0.0, number);
    EXPECT_EQ(Judge(At(0, 3.0, number)), FixVerdict::kTooFar);
    EXPECT_EQ(Judge(At(0, 6.0, number)), FixVerdict::kTooFar);
    EXPECT_EQ(Judge(At(0, 9.0, number)), FixVerdict::kTakenInstead);
  }
}

TEST_F(FixJudgeTest, OneOutlierChangesNothing) {
  EXPECT_EQ(Judge(At(16'000, 1.0, 2)), FixVerdict::kTooFar);
  EXPECT_TRUE(Doubted());
  EXPECT_EQ(Judge(At(10, 2.0, 3)), FixVerdict::kTaken);
  EXPECT_FALSE(Doubted());
  // Nor do two outliers, however often they come.
  for (std::uint64_t second = 3; second < 30; second += 3) {
    EXPECT_EQ(Judge(At(16'000, 1.0 * second, second + 1)), FixVerdict::kTooFar);
    EXPECT_EQ(Judge(At(16'000, 1.0 * second + 1, second + 2)), FixVerdict::kTooFar);
    EXPECT_EQ(Judge(At(10, 1.0 * second + 2, second + 3)), FixVerdict::kTaken);
  }
}

TEST_F(FixJudgeTest, OutliersThatDisagreeAreNotBelieved) {
  for (int i = 1; i < 20; ++i) {
    EXPECT_EQ(Judge(At(20'000 + 10'000 * (i % 4), 1.0 * i, static_cast<std::uint64_t>(i) + 1)), FixVerdict::kTooFar);
    EXPECT_EQ(held_.count, 1);
  }
}

TEST_F(FixJudgeTest, TheSameOneAgainAgreesWithNothing) {
  EXPECT_EQ(Judge(At(16'000, 3.0, 2)), FixVerdict::kTooFar);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Judge(At(16'000, 3.0, 2)), FixVerdict::kOlder);
  EXPECT_EQ(held_.count, 1);
}

TEST_F(FixJudgeTest, OneOfTheKnownPlaceThatCameLateEndsNoDoubt) {
  EXPECT_EQ(Judge(At(16'000, 3.0, 5)), FixVerdict::kTooFar);
  EXPECT_EQ(Judge(At(0, -3.0, 6)), FixVerdict::kOlder);
  EXPECT_TRUE(Doubted());
}

// ---- Accuracy

TEST_F(FixJudgeTest, ACoarseFixDoesNotReplaceARecentAccurateOne) {
  known_ = At(0, 0.0, 1, 5);
  EXPECT_EQ(Judge(At(400, 4.0, 2, 5'000)), FixVerdict::kInaccurate);
  EXPECT_EQ(Judge(At(14'000, 4.0, 2, 5'000)), FixVerdict::kInaccurate);
  EXPECT_EQ(Judge(At(14'000, 4.0, 2, 1e9f)), FixVerdict::kInaccurate) << "the accuracy says nothing about the place";
  EXPECT_FALSE(Doubted()) << "such a coarse fix raises no doubt";
  known_ = At(0, 0.0, 1);
  EXPECT_EQ(Judge(At(14'000, 4.0, 2, 1e9f)), FixVerdict::kInaccurate) << "an unknown accuracy counts as a usual one";
}

TEST_F(FixJudgeTest, ACoarserFixIsTakenOnceTheCarMayBeElsewhere) {
  known_ = At(0, 0.0, 1, 5);
  EXPECT_EQ(Judge(At(20, 1.0, 2, 150)), FixVerdict::kInaccurate);
  EXPECT_EQ(Judge(At(20, 2.0, 2, 150)), FixVerdict::kTaken);
  EXPECT_EQ(Judge(At(40, 3.0, 3, 150)), FixVerdict::kTaken) << "no coarser than the known fix";
  known_ = At(0, 0.0, 1, 5);
  EXPECT_EQ(Judge(At(400, 30.0, 2, 5'000)), FixVerdict::kInaccurate);
  EXPECT_EQ(Judge(At(400, 31.0, 2, 5'000)), FixVerdict::kTaken) << "better than a stale fix, which brings no offers";
}

TEST_F(FixJudgeTest, AnAccurateFixReplacesACoarseOneAtOnce) {
  known_ = At(0, 0.0, 1, 5'000);
  EXPECT_EQ(Judge(At(4'000, 1.0, 2, 5)), FixVerdict::kTaken);
}

TEST(PositionTally, TellsWhatADeviceCanLearnFrom) {
  EXPECT_FALSE((PositionTally{.taken = 2}).IsWorthTelling());
  EXPECT_FALSE((PositionTally{.taken = 1, .older = 5}).IsWorthTelling());
  EXPECT_TRUE((PositionTally{.older = 1}).IsWorthTelling());
  EXPECT_TRUE((PositionTally{.taken = 1, .too_far = 1}).IsWorthTelling());
  EXPECT_TRUE((PositionTally{.taken = 1, .inaccurate = 1}).IsWorthTelling());
  EXPECT_TRUE((PositionTally{.taken = 1, .impossible = 1}).IsWorthTelling());
}

}  // namespace
}  // namespace hail::driver
