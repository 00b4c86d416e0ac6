#include "common/limits/rate.h"

#include <gtest/gtest.h>

namespace hail::limits {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

TEST(RateTest, IsReadAndWritten) {
  const Rates two = ParseRates("10/min,60/h").value();
  EXPECT_EQ(two, (Rates{{10, absl::Minutes(1)}, {60, absl::Hours(1)}}));
  EXPECT_EQ(FormatRates(two), "10/min,60/h");
  EXPECT_EQ(ParseRates("1/s").value(), (Rates{{1, absl::Seconds(1)}}));
  EXPECT_EQ(ParseRates("1000000/d").value(), (Rates{{1'000'000, absl::Hours(24)}}));
  EXPECT_TRUE(ParseRates("off").value().empty());
  EXPECT_EQ(FormatRates({}), "off");
}

TEST(RateTest, WhatIsNoRateIsRefused) {
  for (const char* text : {"", "0", "0/s", "-1/s", "1/", "/s", "1/week", "1000001/s", "1/s,", "1/s,2/s,3/s,4/s",
                           "1.5/s", "off,1/s", "1 per s"}) {
    EXPECT_FALSE(ParseRates(text).ok()) << text;
  }
}

TEST(BucketTest, GivesTheWholeBurstThenOneAfterAnother) {
  const Rate rate{10, absl::Minutes(1)};
  Bucket bucket;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(UntilToken(bucket, rate, kStart), absl::ZeroDuration()) << i;
    TakeToken(&bucket, rate, kStart);
  }
  EXPECT_EQ(UntilToken(bucket, rate, kStart), absl::Seconds(6));
  EXPECT_EQ(UntilToken(bucket, rate, kStart + absl::Milliseconds(5'999)), absl::Milliseconds(1));
  const absl::Time then = kStart + absl::Seconds(6);
  ASSERT_EQ(UntilToken(bucket, rate, then), absl::ZeroDuration());
  TakeToken(&bucket, rate, then);
  EXPECT_EQ(UntilToken(bucket, rate, then), absl::Seconds(6));
}

TEST(BucketTest, IsFullAgainAfterTheWholeTimeAndNeverFuller) {
  const Rate rate{3, absl::Seconds(3)};
  Bucket bucket;
  for (int i = 0; i < 3; ++i) TakeToken(&bucket, rate, kStart);
  const absl::Time later = kStart + absl::Hours(1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(UntilToken(bucket, rate, later), absl::ZeroDuration()) << i;
    TakeToken(&bucket, rate, later);
  }
  EXPECT_EQ(UntilToken(bucket, rate, later), absl::Seconds(1));
}

TEST(BucketTest, WhoWaitsAsLongAsHeIsAskedToIsServed) {
  const Rate rate{7, absl::Hours(1)};
  Bucket bucket;
  absl::Time now = kStart;
  int served = 0;
  while (now < kStart + absl::Hours(24)) {
    const absl::Duration wait = UntilToken(bucket, rate, now);
    if (wait > absl::ZeroDuration()) {
      now += wait;
      ASSERT_EQ(UntilToken(bucket, rate, now), absl::ZeroDuration());
    }
    TakeToken(&bucket, rate, now);
    ++served;
  }
  // 7 at once, then 7 an hour.
  EXPECT_NEAR(served, 7 + 7 * 24, 1);
}

}  // namespace
}  // namespace hail::limits
