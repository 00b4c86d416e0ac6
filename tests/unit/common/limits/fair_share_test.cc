#include "common/limits/fair_share.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace hail::limits {
namespace {

constexpr Key kAda{1, 1}, kBob{2, 1}, kHouse{3, 1};

TEST(FairShareTest, EachTakesItsShareAndNobodyElses) {
  FairShare shares;
  EXPECT_TRUE(shares.Enter(kAda, 2));
  EXPECT_TRUE(shares.Enter(kAda, 2));
  EXPECT_FALSE(shares.Enter(kAda, 2));
  EXPECT_TRUE(shares.Enter(kBob, 2));
  shares.Leave(kAda);
  EXPECT_TRUE(shares.Enter(kAda, 2));
  EXPECT_FALSE(shares.Enter(kAda, 2));
  // Who may have more has more.
  EXPECT_TRUE(shares.Enter(kAda, 3));
}

TEST(FairShareTest, APartyLeavesAsSubjectAndNetwork) {
  FairShare shares;
  EXPECT_TRUE(shares.Enter(kHouse, 1));
  EXPECT_TRUE(shares.Enter(kAda, 1));
  shares.Leave(Party{kAda, kHouse});
  EXPECT_TRUE(shares.Enter(kHouse, 1));
  EXPECT_TRUE(shares.Enter(kAda, 1));
}

TEST(FairShareTest, NobodyIsNotLimited) {
  FairShare shares;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(shares.Enter(Key(), 0));
  for (int i = 0; i < 100; ++i) shares.Leave(Party());
  EXPECT_EQ(shares.parties(), 0u);
}

TEST(FairShareTest, WhoHoldsNothingIsForgotten) {
  FairShare shares;
  EXPECT_FALSE(shares.Enter(kAda, 0));
  EXPECT_EQ(shares.parties(), 0u);
  std::vector<Key> held;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const Key who{i / 3 + 10, 2};
    if (shares.Enter(who, 2)) held.push_back(who);
  }
  EXPECT_EQ(held.size(), 667u);
  EXPECT_EQ(shares.parties(), 334u);
  for (const Key& who : held) shares.Leave(who);
  EXPECT_EQ(shares.parties(), 0u);
}

}  // namespace
}  // namespace hail::limits
