// The simulation itself: a seed determines the run, and the plan of a seed has enough people and faults.
#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/situations.h"
#include "tests/simulation/universe.h"

namespace hail::simulation {
namespace {

TEST(Simulation, ASeedIsOneRunToTheLastInstant) {
  const Result once = Simulate(PlanOf(7), false);
  const Result again = Simulate(PlanOf(7), true);
  EXPECT_EQ(once.digest, again.digest);
  EXPECT_EQ(once.steps, again.steps);
  EXPECT_TRUE(once.history.empty());
  EXPECT_FALSE(again.history.empty());
  EXPECT_NE(Simulate(PlanOf(8), false).digest, once.digest);
}

TEST(Simulation, SeedsAreNoToys) {
  std::vector<int> rides, drivers, deaths;
  std::vector<std::int64_t> faults;
  for (std::uint64_t seed = 1; seed <= 9; ++seed) {
    const Result result = Simulate(PlanOf(seed), false);
    rides.push_back(result.rides);
    drivers.push_back(result.drivers);
    deaths.push_back(result.deaths);
    faults.push_back(result.faults);
  }
  const auto median = [](auto values) {
    std::nth_element(values.begin(), values.begin() + 4, values.end());
    return values[4];
  };
  EXPECT_GE(median(rides), 20);
  EXPECT_GE(median(drivers), 10);
  EXPECT_GE(median(deaths), 3);
  EXPECT_GE(median(faults), 50);
}

TEST(Simulation, WithoutFaultsEveryRideThatFindsADriverIsDriven) {
  const Result result = Simulate(Without(PlanOf(3), ~0u), false);
  EXPECT_TRUE(result.violations.empty());
  EXPECT_EQ(result.deaths, 0);
  EXPECT_EQ(result.faults, 0);
}

TEST(Situations, EachHasANameOfItsOwn) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kSituations; ++i) names.push_back(NameOf(static_cast<Situation>(i)));
  EXPECT_GE(names.size(), 40u);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_NE(names.front(), "");
}

}  // namespace
}  // namespace hail::simulation
