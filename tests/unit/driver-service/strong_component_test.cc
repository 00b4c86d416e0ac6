#include "driver-service/domain/strong_component.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Edges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

TEST(LargestStrongComponent, LeavesOutWhatCannotBeLeftAndWhatCannotBeReached) {
  // 0 → (1 ⇄ 2 ⇄ 3) → 4, and 5 by itself.
  const Edges edges = {{0, 1}, {1, 2}, {2, 1}, {2, 3}, {3, 2}, {3, 4}};
  EXPECT_THAT(LargestStrongComponent(6, edges), ElementsAre(1, 2, 3));
}

TEST(LargestStrongComponent, OfEqualsIsTheOneWithTheLowestNode) {
  EXPECT_THAT(LargestStrongComponent(4, Edges{{2, 3}, {3, 2}, {0, 1}, {1, 0}, {1, 2}}), ElementsAre(0, 1));
  EXPECT_THAT(LargestStrongComponent(3, Edges{{0, 1}, {1, 2}, {1, 1}}), ElementsAre(0));
  EXPECT_THAT(LargestStrongComponent(0, Edges{}), IsEmpty());
}

TEST(LargestStrongComponent, IsWhatReachabilityOfEachFromEachSays) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t nodes = 1 + random() % 9;
    Edges edges;
    for (std::uint32_t i = random() % (2 * nodes); i > 0; --i) edges.emplace_back(random() % nodes, random() % nodes);
    std::vector<std::vector<bool>> reaches(nodes, std::vector<bool>(nodes));
    for (std::uint32_t i = 0; i < nodes; ++i) reaches[i][i] = true;
    for (const auto& [from, to] : edges) reaches[from][to] = true;
    for (std::uint32_t k = 0; k < nodes; ++k) {
      for (std::uint32_t i = 0; i < nodes; ++i) {
        for (std::uint32_t j = 0; j < nodes; ++j) {
          if (reaches[i][k] && reaches[k][j]) reaches[i][j] = true;
        }
      }
    }
    std::vector<std::uint32_t> largest;
    for (std::uint32_t i = 0; i < nodes; ++i) {
      std::vector<std::uint32_t> of_i;
      for (std::uint32_t j = 0; j < nodes; ++j) {
        if (reaches[i][j] && reaches[j][i]) of_i.push_back(j);
      }
      if (of_i.size() > largest.size()) largest = of_i;
    }
    EXPECT_EQ(LargestStrongComponent(nodes, edges), largest) << "round " << round;
  }
}

// As deep as a city has streets.
TEST(LargestStrongComponent, DoesNotRecur) {
  constexpr std::uint32_t kNodes = 1'000'000;
  Edges ring;
  for (std::uint32_t i = 0; i < kNodes; ++i) ring.emplace_back(i, (i + 1) % kNodes);
  EXPECT_EQ(LargestStrongComponent(kNodes, ring).size(), kNodes);
}

}  // namespace
}  // namespace hail::driver
