#include "driver-service/domain/matcher.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "driver-service/domain/batch_matcher.h"
#include "gtest/gtest.h"
#include "tests/unit/driver-service/exact_assignment.h"

namespace hail::driver {
namespace {

// A ride whose candidates are `ids`, nearest first.
WaitingRide RideWith(std::vector<std::string> ids) {
  WaitingRide ride;
  ride.candidates = [ids](std::size_t limit) {
    std::vector<NearDriver> found;
    for (std::size_t i = 0; i < std::min(limit, ids.size()); ++i)
      found.push_back({ids[i], static_cast<double>(i), {}, {}});
    return found;
  };
  return ride;
}

std::vector<std::string> Match(const std::vector<WaitingRide>& rides) {
  std::vector<std::string> pairs;
  for (const Proposal& p : NearestFirstMatcher().Match(rides))
    pairs.push_back(absl::StrCat(p.ride, ":", p.driver.driver_id));
  return pairs;
}

TEST(NearestFirstMatcher, EachTakesTheNearestThatIsLeft) {
  EXPECT_EQ(Match({RideWith({"a", "b"}), RideWith({"a", "b"}), RideWith({"a", "b"})}),
            (std::vector<std::string>{"0:a", "1:b"}));
  EXPECT_EQ(Match({RideWith({}), RideWith({"c"})}), (std::vector<std::string>{"1:c"}));
  EXPECT_TRUE(Match({}).empty());
}

TEST(NearestFirstMatcher, LooksFurtherWhenAllNearAreTaken) {
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(absl::StrCat("d", i));
  std::vector<WaitingRide> rides(50, RideWith(ids));
  const std::vector<std::string> pairs = Match(rides);
  ASSERT_EQ(pairs.size(), 40u);
  EXPECT_EQ(pairs[0], "0:d0");
  EXPECT_EQ(pairs[39], "39:d39");
}

// ---- BatchMatcher

// By driver, seconds to the pickup.
using Seconds = std::map<std::string, double>;

// The index sorts by distance; here distance and time agree. `seed` shuffles the candidates.
WaitingRide Waiting(const Seconds& seconds, double waited_s = 0, std::uint64_t seed = 0) {
  WaitingRide ride;
  ride.waited = absl::Seconds(waited_s);
  ride.candidates = [seconds, seed](std::size_t limit) {
    std::vector<NearDriver> found;
    for (const auto& [id, s] : seconds) found.push_back({id, s, {}, {}});
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.distance_m < b.distance_m; });
    if (found.size() > limit) found.resize(limit);
    if (seed != 0) std::shuffle(found.begin(), found.end(), std::mt19937_64(seed));
    return found;
  };
  ride.pickup_times = [](const std::vector<NearDriver>& drivers) {
    std::vector<absl::Duration> times;
    for (const NearDriver& driver : drivers) times.push_back(absl::Seconds(driver.distance_m));
    return times;
  };
  return ride;
}

std::vector<std::string> Batch(const std::vector<WaitingRide>& rides, BatchMatcher::Options options = {}) {
  std::vector<std::string> pairs;
  for (const Proposal& p : BatchMatcher(options).Match(rides)) {
    pairs.push_back(absl::StrCat(p.ride, ":", p.driver.driver_id));
  }
  return pairs;
}

using Pairs = std::vector<std::string>;

TEST(BatchMatcher, NothingToMatch) {
  EXPECT_EQ(Batch({}), Pairs{});
  EXPECT_EQ(Batch({Waiting({})}), Pairs{});
  EXPECT_EQ(Batch({Waiting({}), Waiting({{"a", 1}}), Waiting({})}), Pairs{"1:a"});
}

TEST(BatchMatcher, WithoutCompetitionTheOneWhoIsThereFirst) {
  EXPECT_EQ(Batch({Waiting({{"a", 60}, {"b", 30}, {"c", 90}})}), Pairs{"0:b"});
  EXPECT_EQ(Batch({Waiting({{"a", 60}, {"b", 30}}), Waiting({{"c", 10}, {"d", 5}})}), (Pairs{"0:b", "1:d"}));
}

TEST(BatchMatcher, ByPickupTimeNotByDistance) {
  WaitingRide ride = Waiting({{"across the water", 10}, {"down the road", 20}});
  ride.pickup_times = [](const std::vector<NearDriver>& drivers) {
    std::vector<absl::Duration> times;
    for (const NearDriver& d : drivers) times.push_back(absl::Minutes(d.driver_id == "across the water" ? 30 : 3));
    return times;
  };
  EXPECT_EQ(Batch({ride}), Pairs{"0:down the road"});
}

TEST(BatchMatcher, MostMatchesFirst) {
  // Nearest first would give a to ride 0 and leave ride 1 without a driver.
  EXPECT_EQ(Batch({Waiting({{"a", 1}, {"b", 3000}}), Waiting({{"a", 2}})}), (Pairs{"0:b", "1:a"}));
  // Over three.
  EXPECT_EQ(Batch({Waiting({{"a", 1}, {"b", 900}}), Waiting({{"b", 1}, {"c", 900}}), Waiting({{"a", 600}})}),
            (Pairs{"0:b", "1:c", "2:a"}));
}

TEST(BatchMatcher, ThenLeastTotalPickupTime) {
  // Nearest first: 10 + 300. Here: 20 + 15.
  EXPECT_EQ(Batch({Waiting({{"a", 10}, {"b", 20}}), Waiting({{"a", 15}, {"b", 300}})}), (Pairs{"0:b", "1:a"}));
  // Two drivers, three rides: the two that are picked up soonest.
  EXPECT_EQ(Batch({Waiting({{"a", 50}, {"b", 70}}), Waiting({{"a", 20}, {"b", 30}}), Waiting({{"a", 40}, {"b", 25}})}),
            (Pairs{"1:a", "2:b"}));
}

TEST(BatchMatcher, EqualsByOrderOfRidesAndDriverId) {
  const Seconds same{{"a", 60}, {"b", 60}, {"c", 60}};
  EXPECT_EQ(Batch({Waiting(same), Waiting(same)}), (Pairs{"0:a", "1:b"}));
  EXPECT_EQ(Batch({Waiting({{"a", 60}}), Waiting({{"a", 60}}), Waiting({{"a", 60}})}), Pairs{"0:a"});
}

TEST(BatchMatcher, WhoWaitedLongerGetsTheLastDriver) {
  // 30 s waited weigh as much as 300 s of driving.
  EXPECT_EQ(Batch({Waiting({{"a", 400}}, 30), Waiting({{"a", 101}}, 0)}), Pairs{"0:a"});
  EXPECT_EQ(Batch({Waiting({{"a", 402}}, 30), Waiting({{"a", 101}}, 0)}), Pairs{"1:a"});
  EXPECT_EQ(Batch({Waiting({{"a", 402}}, 30), Waiting({{"a", 101}}, 0)}, {.wait_weight = 11}), Pairs{"0:a"});
  // The order of the rides does not matter.
  EXPECT_EQ(Batch({Waiting({{"a", 101}}, 0), Waiting({{"a", 400}}, 30)}), Pairs{"1:a"});
}

TEST(BatchMatcher, WaitingLongNeverCostsAMatch) {
  // Driver a is nearer to ride 0, but ride 1 can have only a.
  EXPECT_EQ(Batch({Waiting({{"a", 1}, {"b", 3000}}, 100'000), Waiting({{"a", 2}})}), (Pairs{"0:b", "1:a"}));
}

TEST(BatchMatcher, NobodyStarves) {
  // Each second a driver becomes free, 1 min from a new ride and 11 min from the old ride.
  double waited_s = 0;
  for (;; ++waited_s) {
    ASSERT_LE(waited_s, 61);
    if (Batch({Waiting({{"a", 660}}, waited_s), Waiting({{"a", 60}}, 0)}) == Pairs{"0:a"}) break;
  }
  EXPECT_EQ(waited_s, 60);
}

TEST(BatchMatcher, LooksFurtherWhereCompetitionDrivesIt) {
  // Fifty rides at one place: the sixteen nearest are not enough.
  Seconds seconds;
  for (int i = 0; i < 40; ++i) seconds[absl::StrCat("d", 10 + i)] = i;
  EXPECT_EQ(Batch(std::vector<WaitingRide>(50, Waiting(seconds))).size(), 40u);
  EXPECT_EQ(Batch(std::vector<WaitingRide>(50, Waiting(seconds)), {.candidates = 1}).size(), 4u);
}

TEST(BatchMatcher, AsksAnUncontestedRideForItsCandidatesOnce) {
  Seconds seconds;
  for (int i = 0; i < 40; ++i) seconds[absl::StrCat("d", 10 + i)] = i;
  WaitingRide ride = Waiting(seconds);
  std::vector<std::size_t> asked;
  ride.candidates = [&asked, candidates = ride.candidates](std::size_t limit) {
    asked.push_back(limit);
    return candidates(limit);
  };
  EXPECT_EQ(Batch({ride}), Pairs{"0:d10"});
  EXPECT_EQ(asked, std::vector<std::size_t>{16});
}

TEST(BatchMatcher, TimesOutOfAnyRange) {
  WaitingRide never = Waiting({{"a", 0}});
  never.pickup_times = [](const auto&) { return std::vector<absl::Duration>{absl::InfiniteDuration()}; };
  never.waited = absl::InfiniteDuration();
  WaitingRide before = Waiting({{"a", 0}, {"b", 0}});
  before.pickup_times = [](const auto&) { return std::vector<absl::Duration>(2, -absl::InfiniteDuration()); };
  before.waited = -absl::Seconds(1);
  EXPECT_EQ(Batch({before, never}), (Pairs{"0:b", "1:a"}));
}

struct RandomBatch {
  std::vector<Seconds> seconds;
  std::vector<double> waited_s;
  int drivers = 0;

  std::vector<WaitingRide> Rides(std::uint64_t shuffle = 0) const {
    std::vector<WaitingRide> rides;
    for (std::size_t i = 0; i < seconds.size(); ++i) rides.push_back(Waiting(seconds[i], waited_s[i], shuffle));
    return rides;
  }
};

// Whole seconds, so that there are many equals; some rides without a candidate, often more rides than drivers.
RandomBatch DrawBatch(std::mt19937_64& random, int most_rides, int most_drivers, int most_seconds) {
  auto below = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  RandomBatch batch;
  batch.drivers = 1 + below(most_drivers);
  batch.seconds.resize(static_cast<std::size_t>(1 + below(most_rides)));
  const int odds = 1 + below(4);
  const bool all_new = below(2) == 0;
  for (Seconds& seconds : batch.seconds) {
    batch.waited_s.push_back(all_new ? 0 : below(20));
    if (below(8) == 0) continue;
    for (int d = 0; d < batch.drivers; ++d) {
      if (below(odds) == 0) seconds[absl::StrCat("d", 1000 + d)] = below(most_seconds);
    }
  }
  return batch;
}

TEST(BatchMatcher, RandomBatchesAgreeWithTheExactSolver) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 3000; ++round) {
    const bool small = round < 2700;
    // The matcher looks at up to four times the candidates where that can matter: here, at all drivers.
    const RandomBatch batch = small ? DrawBatch(random, 8, 8, 30) : DrawBatch(random, 40, 60, 300);
    std::vector<std::vector<std::int64_t>> cost;
    std::vector<std::int64_t> left_out;
    for (std::size_t i = 0; i < batch.seconds.size(); ++i) {
      std::vector<std::int64_t>& row = cost.emplace_back(static_cast<std::size_t>(batch.drivers), -1);
      for (const auto& [id, s] : batch.seconds[i]) {
        row[static_cast<std::size_t>(std::stoi(id.substr(1)) - 1000)] = static_cast<std::int64_t>(s);
      }
      left_out.push_back(static_cast<std::int64_t>(10 * batch.waited_s[i]));
    }
    const ExactTotals exact = SolveExactly(cost, left_out);

    for (const std::size_t candidates : {std::size_t{16}, std::size_t{64}}) {
      const std::vector<Proposal> proposals = BatchMatcher({.candidates = candidates}).Match(batch.Rides());
      std::set<std::string> drivers;
      std::set<std::size_t> rides;
      double total = 0;
      for (const Proposal& p : proposals) {
        ASSERT_TRUE(drivers.insert(p.driver.driver_id).second) << p.driver.driver_id << " twice, round " << round;
        ASSERT_TRUE(rides.insert(p.ride).second) << "ride " << p.ride << " twice, round " << round;
        total += batch.seconds[p.ride].at(p.driver.driver_id);
      }
      for (std::size_t i = 0; i < batch.seconds.size(); ++i) {
        if (!rides.contains(i)) total += 10 * batch.waited_s[i];
      }
      ASSERT_EQ(proposals.size(), static_cast<std::size_t>(exact.matched)) << "round " << round;
      ASSERT_EQ(total, static_cast<double>(exact.cost)) << "round " << round << ", " << candidates << " candidates";
    }
  }
}

TEST(BatchMatcher, TheOrderOfCandidatesDoesNotMatter) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 300; ++round) {
    const RandomBatch batch = DrawBatch(random, 20, 15, 5);
    const Pairs pairs = Batch(batch.Rides());
    EXPECT_EQ(Batch(batch.Rides()), pairs);
    for (std::uint64_t seed = 1; seed < 4; ++seed) EXPECT_EQ(Batch(batch.Rides(seed)), pairs) << "round " << round;
  }
}

}  // namespace
}  // namespace hail::driver
