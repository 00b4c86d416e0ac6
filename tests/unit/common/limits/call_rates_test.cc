#include "common/limits/call_rates.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace hail::limits {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

std::uint64_t Counting() {
  static std::uint64_t last = 0;
  return ++last;
}

class CallRatesTest : public ::testing::Test {
 protected:
  // How many of `calls` pass at `now`.
  int Passed(const Key& caller, Class what, int calls, absl::Time now = kStart) {
    int passed = 0;
    for (int i = 0; i < calls; ++i) passed += rates_.Take(caller, what, now) == absl::ZeroDuration() ? 1 : 0;
    return passed;
  }
  Key Subject(const std::string& name) const { return keys_.OfSubject("rider", name); }
  Key Network(const std::string& address) const { return keys_.OfNetwork(ParseNetwork(address).value()); }

  const Keys keys_{&Counting};
  CallRates rates_{CallLimits::Shipped()};
};

TEST_F(CallRatesTest, EachClassHasItsRate) {
  const Key ada = Subject("ada");
  EXPECT_EQ(Passed(ada, Class::kRequestRide, 100), 10);
  EXPECT_EQ(Passed(ada, Class::kQuoteRide, 100), 60);
  EXPECT_EQ(Passed(ada, Class::kNearbyCars, 100), 30);
  EXPECT_EQ(Passed(ada, Class::kRegisterDriver, 100), 1);
  EXPECT_EQ(Passed(ada, Class::kRead, 100), 50);
  EXPECT_EQ(Passed(ada, Class::kWrite, 100), 20);
  EXPECT_EQ(Passed(ada, Class::kFree, 100), 100);
}

TEST_F(CallRatesTest, EachCallerIsCountedForItself) {
  EXPECT_EQ(Passed(Subject("ada"), Class::kRequestRide, 100), 10);
  EXPECT_EQ(Passed(Subject("bob"), Class::kRequestRide, 100), 10);
  EXPECT_EQ(Passed(Subject("ada"), Class::kRequestRide, 100), 0);
  // The driver of the same name is someone else.
  EXPECT_EQ(Passed(keys_.OfSubject("driver", "ada"), Class::kRequestRide, 100), 10);
}

TEST_F(CallRatesTest, AllRatesOfAClassHold) {
  const Key ada = Subject("ada");
  int passed = 0;
  for (int minute = 0; minute < 60; ++minute) {
    passed += Passed(ada, Class::kRequestRide, 100, kStart + absl::Minutes(minute));
  }
  // 60 at most at first, and one a minute after them.
  EXPECT_GE(passed, 60);
  EXPECT_LE(passed, 120);
  EXPECT_EQ(rates_.Take(ada, Class::kRequestRide, kStart + absl::Minutes(59)), absl::Minutes(1));
}

TEST_F(CallRatesTest, ARefusedCallCountsNothing) {
  const Key ada = Subject("ada");
  EXPECT_EQ(Passed(ada, Class::kRegisterDriver, 100'000), 1);
  EXPECT_EQ(rates_.Take(ada, Class::kRegisterDriver, kStart), absl::Minutes(1));
  EXPECT_EQ(rates_.Take(ada, Class::kRegisterDriver, kStart + absl::Minutes(1)), absl::ZeroDuration());
}

TEST_F(CallRatesTest, ANetworkHasARateOverAllItsCalls) {
  const auto passed = [this](const std::string& address, int calls) {
    int count = 0;
    for (int i = 0; i < calls; ++i) {
      count += rates_.TakeOfNetwork(Network(address), kStart) == absl::ZeroDuration() ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(passed("192.0.2.1", 5000), 1000);
  EXPECT_EQ(passed("192.0.2.2", 50), 50);
  // All of a /64 are one network.
  int v6 = 0;
  for (int i = 0; i < 100; ++i) v6 += passed("2001:db8::" + std::to_string(i), 50);
  EXPECT_EQ(v6, 1000);
  // This is not the rate of its callers without tokens.
  EXPECT_EQ(Passed(Network("192.0.2.1"), Class::kNearbyCars, 100), 30);
}

TEST_F(CallRatesTest, ANetworkGetsBackWhatARefusedCallTook) {
  const Key house = Network("192.0.2.1");
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(rates_.TakeOfNetwork(house, kStart), absl::ZeroDuration());
    rates_.GiveBackToNetwork(house);
  }
  int taken = 0;
  for (int i = 0; i < 5000; ++i) taken += rates_.TakeOfNetwork(house, kStart) == absl::ZeroDuration() ? 1 : 0;
  EXPECT_EQ(taken, 1000);
  rates_.GiveBackToNetwork({});
}

TEST_F(CallRatesTest, NobodyIsNotLimited) {
  EXPECT_EQ(Passed({}, Class::kRegisterDriver, 5000), 5000);
  EXPECT_EQ(rates_.TakeOfNetwork({}, kStart), absl::ZeroDuration());
  EXPECT_EQ(rates_.buckets(), 0u);
}

TEST(CallRatesBoundTest, TheTableDoesNotGrowBeyondItsLimit) {
  CallLimits limits = CallLimits::Shipped();
  limits.buckets = 1000;
  CallRates rates(limits);
  const Keys keys(&Counting);
  for (std::uint8_t a = 0; a < 200; ++a) {
    for (std::uint8_t b = 0; b < 100; ++b) {
      const std::uint8_t address[4] = {10, 0, a, b};
      rates.Take(keys.OfNetwork(NetworkOf4(address)), Class::kNearbyCars, kStart);
    }
  }
  EXPECT_EQ(rates.buckets(), 1000u);
}

TEST(KeysTest, DifferAmongNamesPartsAndProcesses) {
  const Keys keys(&Counting);
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  const auto add = [&seen](const Key& key) { EXPECT_TRUE(seen.emplace(key.high, key.low).second); };
  for (const char* role : {"rider", "driver"}) {
    for (const char* name : {"", "a", "b", "ab"}) add(keys.OfSubject(role, name));
  }
  add(keys.OfSubject("ride", "ra"));
  add(keys.OfNetwork(ParseNetwork("192.0.2.1").value()));
  add(keys.OfNetwork(ParseNetwork("192.0.2.2").value()));
  for (std::uint8_t part = 1; part < 30; ++part) add(Part(keys.OfSubject("rider", "a"), part));
  add(Keys(&Counting).OfSubject("rider", "a"));
  EXPECT_EQ(keys.OfSubject("rider", "a"), keys.OfSubject("rider", "a"));
}

// An attacker with a million addresses costs this much, and with two million no more.
TEST(CallRatesBoundTest, AMillionBucketsTakeLessThan100MiB) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer counts memory itself";
#endif
  const auto held = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  CallLimits limits;
  limits.of_class[static_cast<std::size_t>(Class::kNearbyCars)] = ParseRates("30/min").value();
  const std::size_t before = held();
  CallRates rates(limits);
  const auto call = [&rates](std::uint64_t from) {
    for (std::uint64_t i = from; i < from + 1'000'000; ++i) {
      rates.Take(Key{i * 0x9e3779b97f4a7c15, 1}, Class::kNearbyCars, kStart);
    }
  };
  call(1);
  ASSERT_EQ(rates.buckets(), 1'000'000u);
  const std::size_t full = held() - before;
  EXPECT_LT(full, std::size_t{100} << 20);
  EXPECT_GT(full, std::size_t{40} << 20);
  RecordProperty("mebibytes", static_cast<int>(full >> 20));
  call(2'000'000);
  EXPECT_EQ(rates.buckets(), 1'000'000u);
  EXPECT_LT(held() - before, std::size_t{100} << 20);
}

}  // namespace
}  // namespace hail::limits
