#include "common/rpc/outgoing_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

using Outcome = absl::StatusOr<v1::FindAssignmentResponse>;

class OutgoingCallsTest : public ::testing::Test {
 protected:
  OutgoingCallsTest() {
    server_.Start();
    stub_ = v1::AssignmentService::NewStub(MakeChannel(server_.address()));
  }
  void Find(const CallOptions& options) {
    calls_.Call<v1::FindAssignmentRequest, v1::FindAssignmentResponse>(
        [this](auto... args) { stub_->async()->FindAssignment(args...); }, {}, options,
        [this](Outcome outcome) { outcome_.Update([&](auto& slot) { slot = std::move(outcome); }); });
  }
  Outcome Wait() {
    EXPECT_TRUE(outcome_.WaitFor([](const auto& slot) { return slot.has_value(); }));
    return *outcome_.Get();
  }

  TestServer server_;
  std::unique_ptr<v1::AssignmentService::Stub> stub_;
  Watched<std::optional<Outcome>> outcome_;
  OutgoingCalls calls_;
};

TEST_F(OutgoingCallsTest, BringsTheResponseAndPassesTheTraceOn) {
  const std::string traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  server_.service.on_find = [&](std::shared_ptr<FindCall> call) {
    call->response().mutable_ride()->set_ride_id(call->context().traceparent);
    call->Finish();
  };
  Find({.traceparent = traceparent});
  const Outcome outcome = Wait();
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->ride().ride_id(), traceparent);
}

TEST_F(OutgoingCallsTest, BringsErrorsWithTheirDetails) {
  server_.service.on_find = [](std::shared_ptr<FindCall> call) {
    call->Finish(NotFound(Reason::kOfferNotFound, "no"));
  };
  Find({});
  EXPECT_TRUE(HasReason(Wait().status(), Reason::kOfferNotFound));
}

TEST_F(OutgoingCallsTest, EndsAtTheEarlierOfDeadlineAndCap) {
  Watched<std::vector<std::shared_ptr<FindCall>>> held;
  server_.service.on_find = [&](std::shared_ptr<FindCall> call) {
    held.Update([&](auto& list) { list.push_back(std::move(call)); });
  };
  const absl::Time began = absl::Now();
  Find({.deadline = absl::Now() + absl::Hours(1), .cap = absl::Milliseconds(50)});
  EXPECT_EQ(Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  outcome_.Update([](auto& slot) { slot.reset(); });
  Find({.deadline = absl::Now() + absl::Milliseconds(50), .cap = absl::Hours(1)});
  EXPECT_EQ(Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - began, kPatience);
  held.Update([](auto& list) { list.clear(); });
}

TEST_F(OutgoingCallsTest, StopCancelsWhatIsUnderWayAndRefusesMore) {
  Watched<std::shared_ptr<FindCall>> held;
  server_.service.on_find = [&](std::shared_ptr<FindCall> call) {
    held.Update([&](auto& slot) { slot = std::move(call); });
  };
  Find({.cap = absl::Hours(1)});
  ASSERT_TRUE(held.WaitFor([](const auto& call) { return call != nullptr; }));
  EXPECT_EQ(calls_.under_way(), 1u);
  calls_.Stop();
  EXPECT_EQ(outcome_.Get()->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(calls_.under_way(), 0u);
  outcome_.Update([](auto& slot) { slot.reset(); });
  Find({});
  EXPECT_EQ(outcome_.Get()->status().code(), absl::StatusCode::kCancelled);
  held.Update([](auto& call) { call = nullptr; });
}

TEST_F(OutgoingCallsTest, IdempotentMethodsAreRetriedWhenUnavailable) {
  stub_ = v1::AssignmentService::NewStub(
      MakeChannel(server_.address(), {{"hail.internal.v1.AssignmentService", "FindAssignment"}}));
  Watched<int> tries;
  server_.service.on_find = [&](std::shared_ptr<FindCall> call) {
    int now = 0;
    tries.Update([&](int& n) { now = ++n; });
    call->Finish(now < 3 ? Unavailable(Reason::kStoreUnavailable, "not now") : absl::OkStatus());
  };
  Find({.cap = kPatience});
  EXPECT_TRUE(Wait().ok());
  EXPECT_EQ(tries.Get(), 3);
}

TEST_F(OutgoingCallsTest, OthersAreNot) {
  Watched<int> tries;
  server_.service.on_find = [&](std::shared_ptr<FindCall> call) {
    tries.Update([](int& n) { ++n; });
    call->Finish(Unavailable(Reason::kStoreUnavailable, "not now"));
  };
  Find({.cap = kPatience});
  EXPECT_TRUE(HasReason(Wait().status(), Reason::kStoreUnavailable));
  EXPECT_EQ(tries.Get(), 1);
}

}  // namespace
}  // namespace hail::rpc
