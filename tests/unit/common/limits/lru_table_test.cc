#include "common/limits/lru_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <random>
#include <utility>

namespace hail::limits {
namespace {

Key Of(std::uint64_t number) { return {number, 1}; }

TEST(LruTableTest, KeepsWhatWasUsedLast) {
  LruTable<int> table(3);
  for (int i = 1; i <= 3; ++i) table.Use(Of(i)) = i;
  EXPECT_EQ(table.Use(Of(1)), 1);
  table.Use(Of(4)) = 4;
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(table.Use(Of(1)), 1);
  EXPECT_EQ(table.Use(Of(3)), 3);
  EXPECT_EQ(table.Use(Of(4)), 4);
  // 2 was used first, so it went; this drops 1.
  EXPECT_EQ(table.Use(Of(2)), 0);
  EXPECT_EQ(table.Use(Of(1)), 0);
}

TEST(LruTableTest, OneEntryIsATableToo) {
  LruTable<int> table(1);
  table.Use(Of(1)) = 7;
  EXPECT_EQ(table.Use(Of(1)), 7);
  EXPECT_EQ(table.Use(Of(2)), 0);
  EXPECT_EQ(table.Use(Of(1)), 0);
  EXPECT_EQ(table.size(), 1u);
}

TEST(LruTableTest, IsWhatASimpleListIs) {
  constexpr std::size_t kMost = 16;
  LruTable<int> table(kMost);
  std::list<std::pair<std::uint64_t, int>> list;
  std::mt19937_64 random(1);
  for (int step = 1; step < 20'000; ++step) {
    const std::uint64_t key = random() % 24;
    auto found = std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == key; });
    const int before = found == list.end() ? 0 : found->second;
    if (found != list.end()) list.erase(found);
    if (list.size() == kMost) list.pop_front();
    list.emplace_back(key, step);
    int& value = table.Use(Of(key));
    ASSERT_EQ(value, before) << step;
    value = step;
    ASSERT_EQ(table.size(), list.size());
  }
}

}  // namespace
}  // namespace hail::limits
