#include "common/service/process_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metrics/metrics.h"
#include "common/rpc/gate.h"
#include "common/time/fake_clock.h"

namespace hail {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FakeBus final : public NatsBus {
 public:
  void Publish(std::string_view, BusPayload) override {}
  std::unique_ptr<Subscription> Subscribe(std::string, std::function<void(const BusPayload&)>) override {
    return nullptr;
  }
  NatsStats stats() const override { return now; }

  NatsStats now;
};

class ProcessMetricsTest : public testing::Test {
 protected:
  FakeClock clock_;
  // Without ticks: nothing here waits.
  rpc::Gate gate_{&clock_, {.tick = absl::ZeroDuration()}, nullptr};
  metrics::Registry registry_{"test"};
};

TEST_F(ProcessMetricsTest, AScrapeShowsTheCallsInFlight) {
  const ProcessMetrics metrics(&registry_, &gate_, nullptr);
  EXPECT_THAT(registry_.Text(), HasSubstr("test_calls_in_flight 0"));
  ASSERT_TRUE(gate_.EnterUnary().ok());
  EXPECT_THAT(registry_.Text(), HasSubstr("test_calls_in_flight 1"));
  gate_.LeaveUnary();
}

TEST_F(ProcessMetricsTest, AScrapeShowsTheBusAsItIsThen) {
  FakeBus bus;
  const ProcessMetrics metrics(&registry_, &gate_, &bus);
  bus.now = {.connected = true, .lost = 3};
  EXPECT_THAT(registry_.Text(), HasSubstr("test_bus{what=\"connected\"} 1"));
  bus.now = {.connected = false, .lost = 5};
  EXPECT_THAT(registry_.Text(), HasSubstr("test_bus{what=\"connected\"} 0"));
  EXPECT_THAT(registry_.Text(), HasSubstr("test_bus{what=\"lost\"} 5"));
}

TEST_F(ProcessMetricsTest, AProcessAloneHasNoValuesOfTheBus) {
  const ProcessMetrics metrics(&registry_, &gate_, nullptr);
  EXPECT_THAT(registry_.Text(), Not(HasSubstr("test_bus{")));
}

}  // namespace
}  // namespace hail
