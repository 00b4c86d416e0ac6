#include "tests/tools/powerloss/unsynced.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

namespace hail::powerloss {
namespace {

// Applies a change to a file in memory, as the system does.
void Apply(const Change& change, std::string& file) {
  const auto offset = static_cast<std::size_t>(change.offset);
  if (change.truncate) {
    file.resize(offset, '\0');
  } else if (!change.bytes.empty()) {
    if (file.size() < offset + change.bytes.size()) file.resize(offset + change.bytes.size(), '\0');
    file.replace(offset, change.bytes.size(), change.bytes);
  }
}

Unsynced::ReadBase BaseOf(const std::string& file) {
  return [&file](std::int64_t offset, char* to, std::size_t size) -> std::size_t {
    const auto from = static_cast<std::size_t>(offset);
    if (from >= file.size()) return 0;
    return file.copy(to, size, from);
  };
}

// Programs see their writes, whatever part of them has reached the disk already, and a sync writes all of them to the
// disk.
TEST(UnsyncedTest, IsTheFileThatProgramsSeeUnderAnyLeaks) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    std::string disk(random() % 20'000, 'd');
    std::string wanted = disk;
    Unsynced unsynced;
    for (int step = 0; step < 60; ++step) {
      const auto size = static_cast<std::int64_t>(disk.size());
      switch (random() % 8) {
        case 0: {
          const auto to = static_cast<std::int64_t>(random() % 25'000);
          unsynced.Truncate(to, size);
          Apply({to, "", true}, wanted);
          break;
        }
        case 1:
          for (const Change& change : unsynced.Survivors(random)) Apply(change, disk);
          break;
        case 2:
          if (random() % 3 != 0) break;
          for (const Change& change : unsynced.changes()) Apply(change, disk);
          unsynced.Clear();
          ASSERT_EQ(disk, wanted) << "seed " << seed << " step " << step;
          break;
        default: {
          const Change write{static_cast<std::int64_t>(random() % 24'000),
                             std::string(1 + random() % 5000, static_cast<char>('a' + random() % 20)), false};
          unsynced.Write(write.offset, write.bytes, size, BaseOf(disk));
          Apply(write, wanted);
        }
      }
      if (unsynced.empty()) continue;
      ASSERT_EQ(unsynced.size(), static_cast<std::int64_t>(wanted.size())) << "seed " << seed << " step " << step;
      std::string seen(wanted.size() + 100, '?');
      seen.resize(unsynced.Read(0, seen.data(), seen.size(), BaseOf(disk)));
      ASSERT_EQ(seen, wanted) << "seed " << seed << " step " << step;
    }
  }
}

TEST(UnsyncedTest, LeavesNoneSomeOrAllAndTearsTheLast) {
  Unsynced unsynced;
  const std::string nothing;
  for (int i = 0; i < 4; ++i) unsynced.Write(i * 1000, std::string(1000, 'n'), 2000, BaseOf(nothing));
  bool none = false;
  bool all = false;
  bool hole = false;
  bool torn = false;
  bool garbage = false;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    std::mt19937_64 random(seed);
    std::string disk(2000, 'o');
    for (const Change& change : unsynced.Survivors(random)) Apply(change, disk);
    none |= disk == std::string(2000, 'o');
    all |= disk == std::string(4000, 'n');
    std::set<std::string> kinds;
    for (std::size_t at = 0; at < disk.size(); at += 1000) {
      const std::string write = disk.substr(at, 1000);
      const bool is_new = write == std::string(1000, 'n');
      kinds.insert(is_new ? "new" : "other");
      if (!is_new && write.find('n') != std::string::npos) torn = true;
      if (at >= 2000 && std::any_of(write.begin(), write.end(), [](char c) { return c != 'n' && c != '\0'; })) {
        garbage = true;
      }
      // Synced bytes are old or new, byte by byte.
      if (at < 2000) {
        ASSERT_EQ(write.find_first_not_of("on"), std::string::npos);
      }
    }
    hole |= disk.size() == 4000 && kinds.size() == 2;
  }
  EXPECT_TRUE(none);
  EXPECT_TRUE(all);
  EXPECT_TRUE(hole);
  EXPECT_TRUE(torn);
  EXPECT_TRUE(garbage);
}

}  // namespace
}  // namespace hail::powerloss
