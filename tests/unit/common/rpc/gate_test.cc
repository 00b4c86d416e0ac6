// The gate's shares and rates of each caller. What holds for all callers together: unary_test.cc,
// server_streams_test.cc.
#include "common/rpc/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "common/errors/error.h"
#include "common/time/fake_clock.h"
#include "tests/matchers.h"

namespace hail::rpc {
namespace {

using limits::Class;
using limits::Key;
using limits::Party;

struct IdleStream final : LiveStream {
  absl::Time Tick(absl::Time wall) override { return wall; }
  void Drain(absl::Duration) override {}
  void Cancel() override {}
};

auth::Caller Of(const std::string& subject, auth::Role role = auth::Role::kRider) {
  return auth::Caller({.role = role, .subject = subject});
}

class GateTest : public ::testing::Test {
 protected:
  static GateOptions Options() {
    GateOptions options;
    options.max_unary_in_flight = 32;
    options.max_streams = 40;
    options.rates = limits::CallLimits::Shipped();
    options.tick = absl::ZeroDuration();
    return options;
  }
  static void ExpectRateLimited(const absl::Status& status, absl::Duration wait) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(status, HasReason(Reason::kRateLimited));
    EXPECT_EQ(DetailsOf(status)->retry_after, wait);
  }
  Key At(const std::string& address) const { return gate_.KeyOf(limits::ParseNetwork(address)); }

  // As a server does: the network is known first, then the caller. A call that is refused has left.
  absl::Status Enter(const Key& network, const auth::Caller& caller, Class what = Class::kFree) {
    Party party;
    absl::Status status = gate_.EnterUnary(network, &party);
    if (!status.ok()) return status;
    status = gate_.ChargeUnary(caller, what, &party);
    if (status.ok()) {
      in_flight_.push_back(party);
    } else {
      gate_.LeaveUnary(party);
    }
    return status;
  }
  // How many of `calls` enter.
  int Entered(const Key& network, const auth::Caller& caller, int calls, Class what = Class::kFree) {
    int entered = 0;
    for (int i = 0; i < calls; ++i) entered += Enter(network, caller, what).ok() ? 1 : 0;
    return entered;
  }
  void LeaveAll() {
    for (const Party& party : in_flight_) gate_.LeaveUnary(party);
    in_flight_.clear();
    EXPECT_TRUE(gate_.WaitIdle(absl::ZeroDuration()));
  }
  absl::StatusOr<std::uint64_t> Open(const Key& network, const auth::Caller& caller, Class what = Class::kFree) {
    const auto number = gate_.EnterStream(stream_, network);
    if (!number.ok()) return number;
    const absl::Status charged = gate_.ChargeStream(*number, caller, what);
    if (charged.ok()) return number;
    gate_.LeaveStream(*number);
    return charged;
  }

  FakeClock clock_;
  Gate gate_{&clock_, Options(), nullptr};
  std::vector<Party> in_flight_;
  const std::shared_ptr<LiveStream> stream_ = std::make_shared<IdleStream>();
};

TEST_F(GateTest, OneSubjectsCallsLeaveRoomForOthers) {
  EXPECT_EQ(Entered(At("192.0.2.1"), Of("ada"), 1000), 2);
  ExpectRateLimited(Enter(At("192.0.2.2"), Of("ada")), absl::Seconds(1));
  EXPECT_EQ(Entered(At("192.0.2.1"), Of("bob"), 1), 1);
  EXPECT_EQ(gate_.unary_in_flight(), 3u);
  LeaveAll();
  EXPECT_EQ(Entered(At("192.0.2.1"), Of("ada"), 1000), 2);
  LeaveAll();
}

TEST_F(GateTest, OneNetworksCallsLeaveRoomForOthers) {
  int entered = 0;
  for (int i = 0; i < 100; ++i) entered += Entered(At("192.0.2.1"), Of("rider-" + std::to_string(i)), 2);
  EXPECT_EQ(entered, 8);
  EXPECT_EQ(Entered(At("192.0.2.2"), Of("ada"), 1), 1);
  LeaveAll();
}

TEST_F(GateTest, StaffHasTheShareOfANetworkAndNoRate) {
  EXPECT_EQ(Entered({}, Of("backend", auth::Role::kServer), 100, Class::kRegisterDriver), 8);
  EXPECT_EQ(Entered({}, Of("ann", auth::Role::kOperator), 100, Class::kRegisterDriver), 8);
  LeaveAll();
}

TEST_F(GateTest, TheOtherServiceAndCallersThatAreNotCheckedHaveOnlyTheLimitOfAll) {
  EXPECT_EQ(Entered({}, Of("rider-service", auth::Role::kRiderService), 20, Class::kRegisterDriver), 20);
  EXPECT_EQ(Entered({}, auth::Caller::Unchecked(), 20, Class::kRegisterDriver), 12);
  EXPECT_THAT(gate_.EnterUnary(), HasReason(Reason::kOverloaded));
  LeaveAll();
}

TEST_F(GateTest, WhoCallsTooOftenLearnsHowLongToWait) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(Enter(At("192.0.2.1"), Of("ada"), Class::kRequestRide).ok());
    LeaveAll();
  }
  ExpectRateLimited(Enter(At("192.0.2.1"), Of("ada"), Class::kRequestRide), absl::Seconds(6));
  // A refused call holds nothing.
  EXPECT_EQ(gate_.unary_in_flight(), 0u);
  // Her other calls go on, and so does Bob.
  EXPECT_TRUE(Enter(At("192.0.2.1"), Of("ada"), Class::kRead).ok());
  EXPECT_TRUE(Enter(At("192.0.2.1"), Of("bob"), Class::kRequestRide).ok());
  clock_.Advance(absl::Seconds(6));
  EXPECT_TRUE(Enter(At("192.0.2.1"), Of("ada"), Class::kRequestRide).ok());
  LeaveAll();
}

TEST_F(GateTest, WhoHasNoTokenIsCountedByNetwork) {
  int entered = 0;
  for (int i = 0; i < 100; ++i) {
    entered += Entered(At("2001:db8::" + std::to_string(i)), auth::Caller(), 1, Class::kNearbyCars);
    LeaveAll();
  }
  EXPECT_EQ(entered, 30);
  EXPECT_TRUE(Enter(At("2001:db8:1::1"), auth::Caller(), Class::kNearbyCars).ok());
  EXPECT_TRUE(Enter(At("2001:db8::1"), Of("ada"), Class::kNearbyCars).ok());
  LeaveAll();
}

TEST_F(GateTest, ANetworksFloodIsRefusedBeforeItsCallersAreKnown) {
  Party party;
  int entered = 0;
  for (int i = 0; i < 5000; ++i) {
    if (!gate_.EnterUnary(At("192.0.2.1"), &party).ok()) continue;
    ++entered;
    gate_.LeaveUnary(party);
  }
  EXPECT_EQ(entered, 1000);
  ExpectRateLimited(gate_.EnterUnary(At("192.0.2.1"), &party), absl::Milliseconds(1));
  EXPECT_EQ(Entered(At("192.0.2.2"), Of("ada"), 1), 1);
  LeaveAll();
}

TEST_F(GateTest, ACallThatFindsTheGateFullUsesUpNoRate) {
  for (int i = 0; i < 32; ++i) EXPECT_TRUE(gate_.EnterUnary().ok());
  for (int i = 0; i < 5000; ++i) EXPECT_THAT(Enter(At("192.0.2.1"), Of("ada")), HasReason(Reason::kOverloaded));
  for (int i = 0; i < 32; ++i) gate_.LeaveUnary();
  EXPECT_TRUE(Enter(At("192.0.2.1"), Of("ada")).ok());
  LeaveAll();
}

TEST_F(GateTest, ASubjectHasThreeStreams) {
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 3; ++i) numbers.push_back(Open(At("192.0.2.1"), Of("ada")).value());
  ExpectRateLimited(Open(At("192.0.2.2"), Of("ada")).status(), absl::Seconds(1));
  numbers.push_back(Open(At("192.0.2.1"), Of("bob")).value());
  gate_.LeaveStream(numbers[0]);
  numbers[0] = Open(At("192.0.2.1"), Of("ada")).value();
  for (const std::uint64_t number : numbers) gate_.LeaveStream(number);
  EXPECT_TRUE(gate_.WaitIdle(absl::ZeroDuration()));
}

TEST_F(GateTest, ANetworkAndStaffHaveAShareOfAllStreams) {
  int opened = 0;
  for (int i = 0; i < 40; ++i) opened += Open(At("192.0.2.1"), Of("rider-" + std::to_string(i))).ok() ? 1 : 0;
  EXPECT_EQ(opened, 10);
  for (int i = 0; i < 40; ++i) opened += Open({}, Of("backend", auth::Role::kServer)).ok() ? 1 : 0;
  EXPECT_EQ(opened, 20);
}

TEST_F(GateTest, OpeningStreamsIsCounted) {
  int opened = 0;
  for (int i = 0; i < 100; ++i) {
    const auto number = Open(At("192.0.2.1"), Of("ada"), Class::kRead);
    if (!number.ok()) continue;
    ++opened;
    gate_.LeaveStream(*number);
  }
  EXPECT_EQ(opened, 50);
  EXPECT_EQ(gate_.streams(), 0u);
}

// What a call costs whose caller is counted by subject, network and class, without the limits and with them.
TEST_F(GateTest, CostsLessThanAMicrosecondOnAnIdleMachine) {
  constexpr int kCalls = 10'000;
  std::vector<auth::Caller> callers;
  std::vector<Key> networks;
  for (int i = 0; i < kCalls; ++i) {
    callers.push_back(Of("rider-" + std::to_string(i)));
    const std::uint8_t address[4] = {10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
    networks.push_back(gate_.KeyOf(limits::NetworkOf4(address)));
  }
  const auto measure = [&](const auto& call) {
    std::int64_t least = INT64_MAX;
    for (int round = 0; round < 20; ++round) {
      const auto began = std::chrono::steady_clock::now();
      for (int i = 0; i < kCalls; ++i) call(i);
      least = std::min<std::int64_t>(least, (std::chrono::steady_clock::now() - began).count());
      clock_.Advance(absl::Minutes(1));
    }
    return static_cast<int>(least / kCalls);
  };
  const int without = measure([&](int) {
    Party party;
    if (gate_.EnterUnary(Key(), &party).ok()) gate_.LeaveUnary(party);
  });
  const int with = measure([&](int i) {
    Party party;
    if (!gate_.EnterUnary(networks[i], &party).ok()) return;
    EXPECT_TRUE(gate_.ChargeUnary(callers[i], Class::kRead, &party).ok());
    gate_.LeaveUnary(party);
  });
  RecordProperty("nanoseconds_without", without);
  RecordProperty("nanoseconds_with", with);
  std::printf("    a call at the gate: %d ns without limits of callers, %d ns with them\n", without, with);
  // With room for a busy machine and a sanitizer.
  EXPECT_LT(with, 20'000);
}

}  // namespace
}  // namespace hail::rpc
