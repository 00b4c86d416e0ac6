#include "common/errors/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace hail {
namespace {

constexpr int kLine = __LINE__ + 1;
void TakeLeg(int leg) { HAIL_CHECK(leg < 2); }

TEST(Check, LetsWhatHoldsPassAndEvaluatesItOnce) {
  int evaluated = 0;
  HAIL_CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(Check, TakesWhatConvertsToBool) {
  const std::optional<int> there = 0;
  HAIL_CHECK(there);
}

TEST(CheckDeathTest, EndsTheProcessAtOnceAndSaysWhere) {
  EXPECT_EXIT(
      {
        std::atexit([] { std::fputs("went on to the end", stderr); });
        TakeLeg(2);
      },
      testing::KilledBySignal(SIGABRT),
      testing::AllOf(testing::HasSubstr(R"("condition":"leg < 2","file":")"), testing::HasSubstr("check_test.cc"),
                     testing::HasSubstr("\"line\":" + std::to_string(kLine) + "}"),
                     testing::Not(testing::HasSubstr("went on"))));
}

}  // namespace
}  // namespace hail
