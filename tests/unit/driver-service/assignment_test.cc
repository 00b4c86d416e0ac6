#include "driver-service/domain/assignment.h"

#include <algorithm>
#include <ostream>
#include <random>
#include <set>

#include "gtest/gtest.h"
#include "tests/unit/driver-service/exact_assignment.h"

namespace hail::driver {
namespace {

constexpr std::int32_t kNone = Assignment::kNoDriver;

TEST(Assignment, NothingToAssign) {
  EXPECT_TRUE(Assign({}, 0).driver.empty());
  EXPECT_EQ(Assign({{}, {}}, 0).driver, (std::vector<std::int32_t>{kNone, kNone}));
}

TEST(Assignment, MovesOthersOverALongWay) {
  // Ride i is nearest to driver i and can also take driver i + 1. The last ride can only take driver 0.
  std::vector<AssignmentRide> rides;
  for (std::int32_t i = 0; i < 9; ++i) rides.push_back({{{i, 1}, {i + 1, 1000}}});
  rides.push_back({{{0, 5}}});
  EXPECT_EQ(Assign(rides, 10).driver, (std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 0}));
}

TEST(Assignment, TheLargestCostsDoNotOverflow) {
  std::vector<AssignmentRide> rides;
  for (std::int32_t i = 0; i < 50; ++i) rides.push_back({{{0, kMostCost}, {i, i % 2 == 0 ? 0 : kMostCost}}, kMostCost});
  rides[0].edges.pop_back();
  rides.push_back({{{0, 0}}, 0});
  const Assignment assignment = Assign(rides, 50);
  EXPECT_EQ(std::count(assignment.driver.begin(), assignment.driver.end(), kNone), 1);
  // All the others wait longer.
  EXPECT_EQ(assignment.driver.back(), kNone);
}

// The shape of random graphs. Each graph is compared with the exact solver.
struct Shape {
  int rides;
  int drivers;
  // Edges a ride has, at most.
  int edges;
  std::int64_t most_cost;
  int rounds;

  friend void PrintTo(const Shape& shape, std::ostream* out) {
    *out << shape.rides << " rides, " << shape.drivers << " drivers, " << shape.edges << " edges";
  }
};

class AssignmentRandom : public testing::TestWithParam<Shape> {};

TEST_P(AssignmentRandom, IsExact) {
  const Shape shape = GetParam();
  std::mt19937_64 random(20260401);
  auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  for (int round = 0; round < shape.rounds; ++round) {
    const auto n = static_cast<std::size_t>(1 + below(shape.rides));
    const std::int64_t drivers = 1 + below(shape.drivers);
    std::vector<AssignmentRide> rides(n);
    std::vector<std::vector<std::int64_t>> cost(n, std::vector<std::int64_t>(static_cast<std::size_t>(drivers), -1));
    std::vector<std::int64_t> left_out(n);
    for (std::size_t r = 0; r < n; ++r) {
      rides[r].left_out = left_out[r] = below(2) == 0 ? 0 : below(shape.most_cost + 1);
      for (std::int64_t e = below(shape.edges + 1); e > 0; --e) {
        std::int64_t& c = cost[r][static_cast<std::size_t>(below(drivers))];
        if (c < 0) c = below(shape.most_cost + 1);
      }
      for (std::int64_t d = 0; d < drivers; ++d) {
        const std::int64_t c = cost[r][static_cast<std::size_t>(d)];
        if (c >= 0) rides[r].edges.push_back({static_cast<std::int32_t>(d), c});
      }
    }
    const ExactTotals exact = SolveExactly(cost, left_out);
    const Assignment assignment = Assign(rides, static_cast<std::int32_t>(drivers));

    ExactTotals totals;
    std::set<std::int32_t> taken;
    for (std::size_t r = 0; r < n; ++r) {
      const std::int32_t driver = assignment.driver[r];
      if (driver == kNone) {
        totals.cost += left_out[r];
        continue;
      }
      ASSERT_TRUE(taken.insert(driver).second) << "driver " << driver << " twice";
      const std::int64_t c = cost[r][static_cast<std::size_t>(driver)];
      ASSERT_GE(c, 0) << "no edge";
      ++totals.matched;
      totals.cost += c;
    }
    ASSERT_EQ(totals.matched, exact.matched) << "round " << round;
    ASSERT_EQ(totals.cost, exact.cost) << "round " << round;

    // The order of a ride's edges does not matter.
    for (AssignmentRide& ride : rides) std::shuffle(ride.edges.begin(), ride.edges.end(), random);
    ASSERT_EQ(Assign(rides, static_cast<std::int32_t>(drivers)).driver, assignment.driver) << "round " << round;

    // Checks what Assignment::price predicts for one more edge.
    std::int64_t most_cost = 0;
    for (const auto& row : cost) most_cost = std::max(most_cost, *std::max_element(row.begin(), row.end()));
    const auto ride = static_cast<std::size_t>(below(static_cast<std::int64_t>(n)));
    const auto driver = static_cast<std::size_t>(below(drivers));
    const std::int64_t price = assignment.price[ride];
    if (cost[ride][driver] >= 0 || price > most_cost) continue;
    cost[ride][driver] = 2 * most_cost;
    ASSERT_EQ(SolveExactly(cost, left_out).matched, exact.matched) << "round " << round;
    cost[ride][driver] = price;
    ASSERT_EQ(SolveExactly(cost, left_out).cost, exact.cost) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AssignmentRandom,
                         testing::Values(Shape{4, 4, 4, 3, 3000}, Shape{7, 7, 4, 1000, 3000}, Shape{12, 5, 5, 2, 1000},
                                         Shape{6, 40, 16, 100, 300}, Shape{60, 60, 6, 50, 100},
                                         Shape{60, 60, 16, 1'000'000'000, 100}, Shape{120, 40, 8, 500, 30},
                                         Shape{40, 40, 40, 0, 50}));

}  // namespace
}  // namespace hail::driver
