#include "tests/bench/match_replay.h"

#include "driver-service/domain/batch_matcher.h"
#include "gtest/gtest.h"

namespace hail::bench {
namespace {

using driver::BatchMatcher;
using driver::NearestFirstMatcher;
using sim::Start;
using sim::Trip;

// A multiple of all windows since the epoch.
const absl::Time kStart = absl::FromUnixSeconds(1'211'511'600);
constexpr LatLng kOrigin{37.78, -122.42};
constexpr double kSpeedMps = 10;

LatLng EastM(double metres) { return Toward(kOrigin, 90, metres); }

// 10 m/s along the straight line, all day.
driver::StraightLineTravelTimes TravelTimes() {
  driver::StraightLineTravelTimes::Options options;
  options.circuity = 1;
  options.speed_mps.fill(kSpeedMps);
  return driver::StraightLineTravelTimes(options);
}

Trip TripAt(const std::string& id, double seconds, double pickup_east_m) {
  return {id, kStart + absl::Seconds(seconds), EastM(pickup_east_m), EastM(pickup_east_m + 500), absl::Minutes(5)};
}

std::vector<std::optional<Served>> Play(const std::vector<Trip>& trips, const std::vector<Start>& fleet,
                                        const driver::Matcher& matcher, absl::Duration window,
                                        bool look_again_together = false) {
  MatchRules rules;
  rules.window = window;
  rules.look_again_together = look_again_together;
  return Replay(trips, fleet, matcher, TravelTimes(), rules);
}

// The drivers stand 0 and 1,000 m east; the first rider 400 m east, the second 100 m west. Matched one by one, the
// first ride takes the driver at 0 and leaves the far driver to the second.
const std::vector<Start> kTwoDrivers = {{"near", kOrigin}, {"far", EastM(1000)}};
const std::vector<Trip> kTwoRides = {TripAt("between", 0.1, 400), TripAt("west", 0.3, -100)};

TEST(MatchReplay, OneByOneTheFirstTakesTheNearestDriverAtOnce) {
  const auto rides = Play(kTwoRides, kTwoDrivers, NearestFirstMatcher(), absl::ZeroDuration());
  ASSERT_TRUE(rides[0] && rides[1]);
  EXPECT_EQ(rides[0]->taxi_id, "near");
  EXPECT_EQ(rides[0]->match_time, absl::ZeroDuration());
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[0]->pickup_time), 40, 0.1);
  EXPECT_EQ(rides[1]->taxi_id, "far");
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[1]->pickup_time), 110, 0.1);
}

TEST(MatchReplay, InOneWindowTheSumCounts) {
  const auto rides = Play(kTwoRides, kTwoDrivers, BatchMatcher(), absl::Seconds(1));
  ASSERT_TRUE(rides[0] && rides[1]);
  EXPECT_EQ(rides[0]->taxi_id, "far");
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[0]->pickup_time), 60, 0.1);
  EXPECT_EQ(rides[1]->taxi_id, "near");
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[1]->pickup_time), 10, 0.1);
  // Both are held until the window's end.
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[0]->match_time), 0.9, 1e-6);
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[1]->match_time), 0.7, 1e-6);
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[0]->wait()), 60.9, 0.1);
}

TEST(MatchReplay, WithoutAWindowABatchIsOfOne) {
  const auto rides = Play(kTwoRides, kTwoDrivers, BatchMatcher(), absl::ZeroDuration());
  ASSERT_TRUE(rides[0] && rides[1]);
  EXPECT_EQ(rides[0]->taxi_id, "near");
  EXPECT_EQ(rides[0]->match_time, absl::ZeroDuration());
  EXPECT_EQ(rides[1]->match_time, absl::ZeroDuration());
}

TEST(MatchReplay, OfTwoWindowsEachHasItsOwnBatch) {
  const auto rides = Play(kTwoRides, kTwoDrivers, BatchMatcher(), absl::Milliseconds(200));
  ASSERT_TRUE(rides[0] && rides[1]);
  EXPECT_EQ(rides[0]->taxi_id, "near");
  EXPECT_EQ(rides[1]->taxi_id, "far");
}

TEST(MatchReplay, WhoFindsNobodyUntilTheDeadlineGoesUnfulfilled) {
  for (const absl::Duration window : {absl::ZeroDuration(), absl::Seconds(4)}) {
    // The driver is 60 s away and then drives for five minutes: long after the second ride's deadline.
    const auto rides =
        Play({TripAt("first", 0, 0), TripAt("second", 1, 0)}, {{"only", EastM(600)}}, BatchMatcher(), window);
    ASSERT_TRUE(rides[0]);
    EXPECT_FALSE(rides[1]);
    const MatchFigures figures = FiguresOf(rides);
    EXPECT_EQ(figures.rides, 2u);
    EXPECT_EQ(figures.unfulfilled, 1u);
    EXPECT_NEAR(figures.pickup_mean_s, 60, 0.1);
  }
}

TEST(MatchReplay, ADriverIsFreeAgainWhereThePassengerGotOff) {
  // Free at 10 s + 300 s, 500 m east of the first pickup.
  const auto rides = Play({TripAt("first", 0, 100), TripAt("second", 250, 600)}, {{"only", kOrigin}}, BatchMatcher(),
                          absl::ZeroDuration());
  ASSERT_TRUE(rides[0] && rides[1]);
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[1]->match_time), 60, 1.1);
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[1]->pickup_time), 0, 0.1);
}

TEST(MatchReplay, ADriverReturnsToWhereRidesWereAskedFor) {
  // Free at 300 s 500 m east of the only pickup so far; 20 s later it has gone 200 m of the way back.
  const std::vector<Trip> trips = {TripAt("first", 0, 0), TripAt("second", 320, 0)};
  const auto rides = Play(trips, {{"only", kOrigin}}, BatchMatcher(), absl::ZeroDuration());
  ASSERT_TRUE(rides[1]);
  EXPECT_NEAR(absl::ToDoubleSeconds(rides[1]->pickup_time), 30, 0.1);
  MatchRules rules;
  rules.drivers_return = false;
  const auto stayed = Replay(trips, {{"only", kOrigin}}, BatchMatcher(), TravelTimes(), rules);
  ASSERT_TRUE(stayed[1]);
  EXPECT_NEAR(absl::ToDoubleSeconds(stayed[1]->pickup_time), 50, 0.1);
}

TEST(MatchReplay, TheRadiusGrowsWithTheTimeWaited) {
  // 1,500 m at first, 3,000 m after two seconds, 6,000 m after four.
  const auto rides = Play({TripAt("lonely", 0, 0)}, {{"far", EastM(5000)}}, BatchMatcher(), absl::ZeroDuration());
  ASSERT_TRUE(rides[0]);
  EXPECT_EQ(rides[0]->match_time, absl::Seconds(4));
}

TEST(MatchReplay, LookingAgainTogetherMakesABatchOfThoseWhoWait) {
  // The only driver is busy until 310 s, and both rides wait. The ride that looks first then gets the driver. If both
  // look together, the ride that has waited longer gets the driver.
  std::vector<Trip> trips = {TripAt("first", 0, 100), TripAt("long", 250.5, 600), TripAt("short", 260.2, 600)};
  const std::vector<Start> fleet = {{"only", kOrigin}};
  const auto apart = Play(trips, fleet, BatchMatcher(), absl::ZeroDuration());
  EXPECT_FALSE(apart[1]);
  EXPECT_TRUE(apart[2]);
  const auto together = Play(trips, fleet, BatchMatcher(), absl::ZeroDuration(), true);
  EXPECT_TRUE(together[1]);
  EXPECT_FALSE(together[2]);
}

TEST(MatchReplay, FiguresAreOfThoseThatWereServed) {
  std::vector<std::optional<Served>> rides(25);
  for (int i = 1; i <= 20; ++i) rides[static_cast<std::size_t>(i)] = Served{"t", absl::Seconds(i), absl::Seconds(100)};
  const MatchFigures figures = FiguresOf(rides);
  EXPECT_EQ(figures.unfulfilled, 5u);
  EXPECT_DOUBLE_EQ(figures.match_mean_s, 10.5);
  EXPECT_DOUBLE_EQ(figures.match_p95_s, 19);
  EXPECT_DOUBLE_EQ(figures.wait_mean_s, 110.5);
  EXPECT_DOUBLE_EQ(FiguresOf({}).wait_p95_s, 0);
}

}  // namespace
}  // namespace hail::bench
