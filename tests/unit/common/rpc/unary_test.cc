#include "common/rpc/unary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

class UnaryTest : public ::testing::Test {
 protected:
  void Start(GateOptions options = {}) {
    server_ = std::make_unique<TestServer>(options);
    server_->Start();
    stub_ = v1::AssignmentService::NewStub(MakeChannel(server_->address()));
  }
  absl::Status Find(const std::string& ride_id = "r", v1::FindAssignmentResponse* response = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    v1::FindAssignmentRequest request;
    request.set_driver_id(ride_id);
    v1::FindAssignmentResponse unused;
    return FromGrpc(stub_->FindAssignment(&context, request, response != nullptr ? response : &unused));
  }

  std::unique_ptr<TestServer> server_;
  std::unique_ptr<v1::AssignmentService::Stub> stub_;
};

TEST_F(UnaryTest, IsAnsweredLaterFromAnotherThread) {
  Start();
  std::thread worker;
  server_->service.on_find = [&](std::shared_ptr<FindCall> call) {
    worker = std::thread([call] {
      call->response().mutable_ride()->set_ride_id("of " + call->request().driver_id());
      call->Finish();
    });
  };
  v1::FindAssignmentResponse response;
  EXPECT_TRUE(Find("d1", &response).ok());
  EXPECT_EQ(response.ride().ride_id(), "of d1");
  worker.join();
  EXPECT_TRUE(server_->observer.WaitFor("FindAssignment OK"));
}

TEST_F(UnaryTest, AnErrorArrivesWithItsDetails) {
  Start();
  server_->service.on_find = [](std::shared_ptr<FindCall> call) {
    call->Finish(FailedPrecondition(Reason::kRiderBusy, "busy", {{"ride_id", "r7"}}));
    call->Finish();  // does not count
  };
  const absl::Status status = Find();
  EXPECT_TRUE(HasReason(status, Reason::kRiderBusy));
  EXPECT_EQ(DetailsOf(status)->metadata.at("ride_id"), "r7");
}

TEST_F(UnaryTest, AHandlerThatThrowsEndsTheCall) {
  Start();
  server_->service.on_find = [](const std::shared_ptr<FindCall>&) { throw std::runtime_error("oops"); };
  EXPECT_TRUE(HasReason(Find(), Reason::kInternal));
  EXPECT_TRUE(server_->observer.WaitFor("FindAssignment threw oops"));
}

TEST_F(UnaryTest, ACallThatIsForgottenEnds) {
  Start();
  server_->service.on_find = [](const std::shared_ptr<FindCall>&) {};
  EXPECT_EQ(Find().code(), absl::StatusCode::kInternal);
}

TEST_F(UnaryTest, AnOversizedRequestIsRefused) {
  Start();
  server_->service.on_find = [](std::shared_ptr<FindCall> call) { call->Finish(); };
  EXPECT_TRUE(Find(std::string(60'000, 'x')).ok());
  EXPECT_TRUE(HasReason(Find(std::string(70'000, 'x')), Reason::kInvalidField));
}

TEST_F(UnaryTest, BeyondTheBoundCallsAreRefused) {
  Start({.max_unary_in_flight = 1});
  Watched<std::shared_ptr<FindCall>> held;
  server_->service.on_find = [&](std::shared_ptr<FindCall> call) {
    held.Update([&](auto& slot) { slot = std::move(call); });
  };
  absl::Status first;
  std::thread caller([&] { first = Find(); });
  ASSERT_TRUE(held.WaitFor([](const auto& call) { return call != nullptr; }));
  const absl::Status refused = Find();
  EXPECT_TRUE(HasReason(refused, Reason::kOverloaded));
  EXPECT_TRUE(DetailsOf(refused)->retry_after.has_value());
  held.Get()->Finish();
  caller.join();
  EXPECT_TRUE(first.ok()) << first;
  held.Update([](auto& call) { call = nullptr; });
  EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
}

TEST_F(UnaryTest, DrainingRefusesNewCallsAndFinishesThoseInFlight) {
  Start();
  Watched<std::shared_ptr<FindCall>> held;
  server_->service.on_find = [&](std::shared_ptr<FindCall> call) {
    held.Update([&](auto& slot) { slot = std::move(call); });
  };
  absl::Status first = absl::UnknownError("not told");
  std::thread caller([&] { first = Find(); });
  ASSERT_TRUE(held.WaitFor([](const auto& call) { return call != nullptr; }));
  server_->gate.Drain(absl::ZeroDuration());
  EXPECT_TRUE(HasReason(Find(), Reason::kDraining));
  EXPECT_FALSE(server_->gate.WaitIdle(absl::ZeroDuration()));
  held.Update([](auto& call) {
    call->Finish();
    call = nullptr;
  });
  caller.join();
  EXPECT_TRUE(first.ok()) << first;
  server_->host.Drain();
}

TEST_F(UnaryTest, SaysWhoCallsAndForHowLong) {
  Start();
  CallInfo info;
  server_->service.on_find = [&](std::shared_ptr<FindCall> call) {
    info = call->info();
    call->Finish();
  };
  const std::string traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  {
    grpc::ClientContext context;
    const absl::Time deadline = absl::Now() + kPatience;
    context.set_deadline(absl::ToChronoTime(deadline));
    context.AddMetadata("traceparent", traceparent);
    context.AddMetadata("x-request-id", "abc-1");
    v1::FindAssignmentResponse response;
    ASSERT_TRUE(stub_->FindAssignment(&context, {}, &response).ok());
    EXPECT_EQ(info.traceparent, traceparent);
    EXPECT_EQ(info.request_id, "abc-1");
    EXPECT_LT(absl::AbsDuration(info.deadline - deadline), absl::Seconds(5));
    EXPECT_TRUE(info.caller.subject.empty());
  }
  {
    grpc::ClientContext context;
    context.AddMetadata("traceparent", "not one");
    context.AddMetadata("x-request-id", std::string(129, 'x'));
    v1::FindAssignmentResponse response;
    ASSERT_TRUE(stub_->FindAssignment(&context, {}, &response).ok());
    EXPECT_EQ(info.traceparent, "");
    EXPECT_EQ(info.request_id, "");
    EXPECT_EQ(info.deadline, absl::InfiniteFuture());
  }
}

TEST_F(UnaryTest, ACallThatWasGivenUpIsKnownAndStillEnds) {
  Start();
  Watched<std::shared_ptr<FindCall>> held;
  server_->service.on_find = [&](std::shared_ptr<FindCall> call) {
    held.Update([&](auto& slot) { slot = std::move(call); });
  };
  grpc::ClientContext context;
  std::thread caller([&] {
    v1::FindAssignmentResponse response;
    EXPECT_EQ(stub_->FindAssignment(&context, {}, &response).error_code(), grpc::StatusCode::CANCELLED);
  });
  ASSERT_TRUE(held.WaitFor([](const auto& call) { return call != nullptr; }));
  context.TryCancel();
  caller.join();
  const absl::Time limit = absl::Now() + kPatience;
  while (!held.Get()->cancelled() && absl::Now() < limit) std::this_thread::yield();
  EXPECT_TRUE(held.Get()->cancelled());
  held.Update([](auto& call) { call = nullptr; });
  EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
}

TEST(IdentityTest, WhoIsAuthenticatedSpeaksForNobodyElse) {
  EXPECT_TRUE(CheckSpeaksFor({}, "rider-1", "rider_id").ok());
  EXPECT_TRUE(CheckSpeaksFor({.subject = "rider-1"}, "rider-1", "rider_id").ok());
  const absl::Status other = CheckSpeaksFor({.subject = "rider-2"}, "rider-1", "rider_id");
  EXPECT_EQ(other.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(HasReason(other, Reason::kIdentityMismatch));
  EXPECT_TRUE(HasReason(CheckSpeaksFor({}, "", "rider_id"), Reason::kInvalidField));
}

}  // namespace
}  // namespace hail::rpc
