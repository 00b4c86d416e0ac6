#include "tests/tools/hail-sim/report.h"

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

TEST(Samples, TakesTheNearestRank) {
  Samples samples;
  EXPECT_EQ(samples.Quantile(0.5), 0);
  for (int i = 100; i >= 1; --i) samples.Add(i);
  EXPECT_EQ(samples.Quantile(0.5), 50);
  EXPECT_EQ(samples.Quantile(0.99), 99);
  EXPECT_EQ(samples.Quantile(1), 100);
}

TEST(Report, HasTheKeysThatStay) {
  const nlohmann::ordered_json json = Report().ToJson();
  for (const char* key : {"requested", "completed", "canceled", "unfulfilled", "rejected", "in_progress", "lost",
                          "double_booked", "out_of_order_events", "duplicate_events", "missed_events", "offers",
                          "declined", "expired", "redispatched", "wall_s"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  for (const char* key : {"p50", "p90", "p99"}) EXPECT_TRUE(json["match_latency_ms"].contains(key));
  for (const char* key : {"p50", "p95"}) EXPECT_TRUE(json["pickup_wait_s"].contains(key));
}

TEST(Report, IsCleanOnlyIfNothingIsBrokenOrUnaccountedFor) {
  Report good;
  good.requested = 6;
  good.completed = good.canceled = good.unfulfilled = good.rejected = 1;
  good.in_progress = 2;
  EXPECT_TRUE(good.Clean());
  for (std::int64_t Report::*outcome : {&Report::requested, &Report::completed}) {
    Report bad = good;
    ++(bad.*outcome);
    EXPECT_FALSE(bad.Clean());
  }
  Report lost = good;
  ++lost.requested;
  ++lost.lost;
  EXPECT_FALSE(lost.Clean());
  for (std::int64_t Violations::*violation : {&Violations::out_of_order, &Violations::duplicate, &Violations::missed,
                                              &Violations::double_booked, &Violations::protocol}) {
    Report bad = good;
    ++(bad.violations.*violation);
    EXPECT_FALSE(bad.Clean());
  }
}

}  // namespace
}  // namespace hail::sim
