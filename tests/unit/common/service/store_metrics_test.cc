#include "common/service/store_metrics.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "common/metrics/metrics.h"
#include "common/time/fake_clock.h"

namespace hail {
namespace {

class StoreMetricsTest : public ::testing::Test {
 protected:
  void Commit(const absl::Status& status) { store_.OnBatch(1, absl::Milliseconds(1), status); }

  FakeClock clock_;
  metrics::Registry registry_{"test"};
  StoreMetrics store_{&registry_, &clock_};
};

TEST_F(StoreMetricsTest, AStoreThatWorksIsHealthyAndNotTried) {
  EXPECT_TRUE(store_.Healthy());
  Commit(absl::OkStatus());
  EXPECT_TRUE(store_.Healthy());
  EXPECT_FALSE(store_.BeginWriteProbe());
}

TEST_F(StoreMetricsTest, AFailedCommitCountsUntilATrialWorks) {
  Commit(absl::UnavailableError("disk full"));
  EXPECT_FALSE(store_.Healthy());
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(store_.Healthy());
  // A commit without writes may succeed on a full disk, so it proves nothing.
  Commit(absl::OkStatus());
  EXPECT_FALSE(store_.Healthy());

  ASSERT_TRUE(store_.BeginWriteProbe());
  EXPECT_FALSE(store_.BeginWriteProbe()) << "two trials at once";
  store_.OnWriteProbe(absl::UnavailableError("disk full"));
  EXPECT_FALSE(store_.Healthy());

  ASSERT_TRUE(store_.BeginWriteProbe());
  store_.OnWriteProbe(absl::OkStatus());
  EXPECT_TRUE(store_.Healthy());
  EXPECT_FALSE(store_.BeginWriteProbe());
}

TEST_F(StoreMetricsTest, AReadThatFailsCountsUntilTheNextThatWorks) {
  store_.OnProbe(absl::UnavailableError("disk gone"));
  EXPECT_FALSE(store_.Healthy());
  store_.OnProbe(absl::OkStatus());
  EXPECT_TRUE(store_.Healthy());
}

}  // namespace
}  // namespace hail
