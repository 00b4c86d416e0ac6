#include "common/exec/queue_wait.h"

#include <gtest/gtest.h>

namespace hail {
namespace {

class QueueWaitTest : public ::testing::Test {
 protected:
  void Batch(std::size_t jobs, absl::Duration took) {
    wait_.BatchBegan(now_, jobs);
    now_ += took;
    wait_.BatchEnded(now_);
  }
  absl::Duration Behind(std::size_t ahead) const { return wait_.Estimate(now_, ahead); }

  QueueWait wait_;
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(QueueWaitTest, NothingIsKnownAtFirst) { EXPECT_EQ(Behind(1000), absl::ZeroDuration()); }

TEST_F(QueueWaitTest, FullBatchesTellWhatAJobCosts) {
  for (int i = 0; i < 5; ++i) Batch(500, absl::Milliseconds(50));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(Behind(1000)), 100, 1);
}

TEST_F(QueueWaitTest, ASlowDiskThatWaitsForJobsIsNotTakenForABusyOne) {
  // 10 ms for each fsync, one job each time: a hundred at once would be one batch, and 10 ms too.
  for (int i = 0; i < 50; ++i) Batch(1, absl::Milliseconds(10));
  EXPECT_EQ(Behind(100), absl::ZeroDuration());
}

TEST_F(QueueWaitTest, TheBatchUnderWayCountsForWhatIsLeftOfIt) {
  for (int i = 0; i < 5; ++i) Batch(500, absl::Milliseconds(50));
  wait_.BatchBegan(now_, 500);
  now_ += absl::Milliseconds(20);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(Behind(0)), 30, 1);
}

TEST_F(QueueWaitTest, ABatchThatIsLateMayTakeAsLongAgain) {
  for (int i = 0; i < 5; ++i) Batch(500, absl::Milliseconds(50));
  wait_.BatchBegan(now_, 1);
  now_ += absl::Seconds(3);
  EXPECT_NEAR(absl::ToDoubleSeconds(Behind(0)), 3, 0.1);
}

TEST_F(QueueWaitTest, OneBadBatchIsForgottenEvenIfNoLargeOneFollows) {
  Batch(500, absl::Seconds(50));
  EXPECT_GT(Behind(10), absl::Milliseconds(500));
  Batch(2, absl::Milliseconds(1));
  EXPECT_LT(Behind(1000), absl::Seconds(1));
}

}  // namespace
}  // namespace hail
