#include "common/service/bus_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metrics/metrics.h"

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

TEST(BusMetricsTest, AScrapeTellsHowTheBusIsThen) {
  metrics::Registry registry("test");
  FakeBus bus;
  const BusMetrics metrics(&registry, &bus);
  bus.now = {.connected = true, .lost = 3};
  EXPECT_THAT(registry.Text(), HasSubstr("test_bus{what=\"connected\"} 1"));
  bus.now = {.connected = false, .lost = 5};
  EXPECT_THAT(registry.Text(), HasSubstr("test_bus{what=\"connected\"} 0"));
  EXPECT_THAT(registry.Text(), HasSubstr("test_bus{what=\"lost\"} 5"));
}

TEST(BusMetricsTest, AProcessAloneHasNoValues) {
  metrics::Registry registry("test");
  const BusMetrics metrics(&registry, nullptr);
  EXPECT_THAT(registry.Text(), Not(HasSubstr("test_bus{")));
}

}  // namespace
}  // namespace hail
