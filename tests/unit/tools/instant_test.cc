#include "tests/tools/hail-sim/instant.h"

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

TEST(ParseInstant, ReadsEpochSeconds) { EXPECT_EQ(*ParseInstant("1211518800"), absl::FromUnixSeconds(1211518800)); }

TEST(ParseInstant, ReadsAFraction) { EXPECT_EQ(*ParseInstant("1211518800.25"), absl::FromUnixMillis(1211518800250)); }

TEST(ParseInstant, ReadsIsoWithOffset) {
  EXPECT_EQ(*ParseInstant("2008-05-22T22:00:00-07:00"), absl::FromUnixSeconds(1211518800));
  EXPECT_EQ(*ParseInstant("2008-05-23T05:00:00Z"), absl::FromUnixSeconds(1211518800));
}

TEST(ParseInstant, RefusesWhatHasNoOffset) { EXPECT_FALSE(ParseInstant("2008-05-22T22:00:00").ok()); }

TEST(ParseInstant, RefusesWords) {
  EXPECT_FALSE(ParseInstant("now").ok());
  EXPECT_FALSE(ParseInstant("nan").ok());
  EXPECT_FALSE(ParseInstant("").ok());
}

}  // namespace
}  // namespace hail::sim
