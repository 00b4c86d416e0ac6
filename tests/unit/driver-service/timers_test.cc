#include "driver-service/domain/timers.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;

std::vector<std::string> TakeAll(Timers<std::string>& timers, absl::Time now) {
  std::vector<std::string> taken;
  while (const auto id = timers.Take(now)) taken.push_back(*id);
  return taken;
}

TEST(TimersTest, GivesWhatIsDueEarliestFirstAndOnce) {
  Timers<std::string> timers;
  const absl::Time start = absl::UnixEpoch();
  timers.Add(start + absl::Seconds(3), "third");
  timers.Add(start + absl::Seconds(1), "first");
  timers.Add(start + absl::Seconds(1), "second");
  EXPECT_THAT(TakeAll(timers, start), ElementsAre());
  EXPECT_THAT(TakeAll(timers, start + absl::Seconds(1)), ElementsAre("first", "second"));
  EXPECT_THAT(TakeAll(timers, start + absl::Seconds(9)), ElementsAre("third"));
  EXPECT_THAT(TakeAll(timers, start + absl::Seconds(9)), ElementsAre());
}

TEST(TimersTest, OneThatIsSetMeanwhileAndDueIsGivenToo) {
  Timers<std::string> timers;
  const absl::Time now = absl::UnixEpoch();
  timers.Add(now, "a");
  ASSERT_EQ(timers.Take(now), "a");
  timers.Add(now, "b");
  EXPECT_EQ(timers.Take(now), "b");
}

}  // namespace
}  // namespace hail::driver
