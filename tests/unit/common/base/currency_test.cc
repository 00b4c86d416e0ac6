#include "common/money/currency.h"

#include "gtest/gtest.h"

namespace hail {
namespace {

TEST(DecimalsOf, AreThoseOfIso4217) {
  EXPECT_EQ(DecimalsOf("USD"), 2);
  EXPECT_EQ(DecimalsOf("CHF"), 2);
  EXPECT_EQ(DecimalsOf("JPY"), 0);
  EXPECT_EQ(DecimalsOf("KRW"), 0);
  EXPECT_EQ(DecimalsOf("UGX"), 0);
  EXPECT_EQ(DecimalsOf("KWD"), 3);
  EXPECT_EQ(DecimalsOf("TND"), 3);
  EXPECT_EQ(DecimalsOf("CLF"), 4);
  EXPECT_EQ(DecimalsOf("ZWG"), 2);
  for (const char* code : {"", "U", "US", "usd", "USDX", "XAU", "XTS", "XXX", "SD ", "D AF", "ABC"}) {
    EXPECT_EQ(DecimalsOf(code), std::nullopt) << code;
  }
}

TEST(SmallestUnitMicros, IsATenthForEachDecimal) {
  EXPECT_EQ(SmallestUnitMicros("JPY"), 1'000'000);
  EXPECT_EQ(SmallestUnitMicros("EUR"), 10'000);
  EXPECT_EQ(SmallestUnitMicros("BHD"), 1'000);
  EXPECT_EQ(SmallestUnitMicros("UYW"), 100);
  EXPECT_EQ(SmallestUnitMicros("XAG"), std::nullopt);
}

TEST(RoundedTo, TheNearestMultiple) {
  EXPECT_EQ(RoundedTo(1'000'000, 1'499'999.9), 1'000'000);
  EXPECT_EQ(RoundedTo(1'000'000, 1'500'000), 2'000'000);
  EXPECT_EQ(RoundedTo(50'000, 7'024'999), 7'000'000);
  EXPECT_EQ(RoundedTo(50'000, 7'025'000), 7'050'000);
  EXPECT_EQ(RoundedTo(1, 0), 0);
  EXPECT_GT(RoundedTo(10'000, 1e300), 0);
}

}  // namespace
}  // namespace hail
