#include "common/service/limit_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/time/fake_clock.h"
#include "tests/unit/temp_file.h"

namespace hail {
namespace {

using ::testing::HasSubstr;

TEST(LimitMetricsTest, AScrapeShowsWhatWasRefusedAndRecorded) {
  const testing::TempDirectory directory;
  auto audit = audit::AuditLog::Open({.service = "test", .file = directory.path("audit.log")});
  ASSERT_TRUE(audit.ok());
  const FakeClock clock;
  rpc::GateOptions options;
  options.rates = limits::CallLimits::Shipped();
  options.tick = absl::ZeroDuration();
  rpc::Gate gate(&clock, options, nullptr);
  metrics::Registry registry("test");
  const LimitMetrics metrics(&registry, &gate, audit->get());
  EXPECT_THAT(registry.Text(), HasSubstr("test_calls_limited_total 0"));
  const auth::Caller ada({.role = auth::Role::kDriver, .subject = "ada"});
  for (int i = 0; i < 3; ++i) {
    limits::Party party;
    ASSERT_TRUE(gate.EnterUnary({}, &party).ok());
    EXPECT_EQ(gate.ChargeUnary(ada, limits::Class::kRegisterDriver, &party).ok(), i == 0);
    gate.LeaveUnary(party);
  }
  for (int i = 0; i < 11; ++i) (*audit)->RecordDenied({1, 1}, {.wall = clock.Read().wall});
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("test_calls_limited_total 2"));
  EXPECT_THAT(text, HasSubstr("test_rate_buckets 1"));
  EXPECT_THAT(text, HasSubstr("test_connections_refused_total 0"));
  EXPECT_THAT(text, HasSubstr("test_audit_lines_total{what=\"skipped\"} 1"));
  EXPECT_THAT(text, HasSubstr("test_audit_lines_total{what=\"lost\"} 0"));
  // A second scrape adds nothing.
  EXPECT_THAT(registry.Text(), HasSubstr("test_calls_limited_total 2"));
}

}  // namespace
}  // namespace hail
