#include "common/rpc/unary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
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
  absl::Status first = absl::UnknownError("not answered");
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
  CallContext info;
  server_->service.on_find = [&](std::shared_ptr<FindCall> call) {
    info = call->context();
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
    EXPECT_TRUE(info.caller.unchecked());
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

// A client that calls and never reads. The answers are larger than its window.
class UnreadTest : public UnaryTest {
 protected:
  void Start(GateOptions options) {
    UnaryTest::Start(options);
    server_->service.on_find = [](std::shared_ptr<FindCall> call) {
      if (call->request().driver_id() == "big") call->response().mutable_ride()->set_ride_id(std::string(kBig, 'x'));
      call->Finish();
    };
    grpc::ChannelArguments narrow;
    narrow.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    generic_ = std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), narrow));
  }
  void TearDown() override {
    for (const auto& call : unread_) call->context.TryCancel();
    for (const auto& call : unread_) EXPECT_TRUE(call->over.WaitFor([](bool over) { return over; }));
    EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
  }
  // Calls, and waits until the server has answered.
  void AskWithoutReading() {
    auto call = std::make_unique<Unread>();
    v1::FindAssignmentRequest request;
    request.set_driver_id("big");
    bool owned = false;
    grpc::SerializationTraits<v1::FindAssignmentRequest>::Serialize(request, &call->request, &owned);
    generic_->PrepareBidiStreamingCall(&call->context, "/hail.internal.v1.AssignmentService/FindAssignment", {},
                                       call.get());
    // Without the hold, gRPC itself would read to the call's end.
    call->AddHold();
    call->StartWriteLast(&call->request, {});
    call->StartCall();
    EXPECT_TRUE(call->answered.WaitFor([](bool answered) { return answered; }));
    unread_.push_back(std::move(call));
  }
  struct Unread final : grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
    void OnReadInitialMetadataDone(bool) override {
      answered.Update([](bool& value) { value = true; });
    }
    void OnDone(const grpc::Status&) override {
      over.Update([](bool& value) { value = true; });
    }
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    Watched<bool> answered, over;
  };
  // Removes the hold of every unread call.
  void LetGo() {
    for (const auto& call : unread_) call->RemoveHold();
  }

  static constexpr std::size_t kBig = 1 << 20;
  std::unique_ptr<grpc::GenericStub> generic_;
  std::vector<std::unique_ptr<Unread>> unread_;
};

TEST_F(UnreadTest, KeepsNobodyOutAndIsCutOffInTime) {
  Start({.max_unary_in_flight = 1});
  for (int i = 0; i < 5; ++i) AskWithoutReading();
  EXPECT_EQ(server_->gate.unary_in_flight(), 0u);
  EXPECT_TRUE(Find().ok());
  EXPECT_TRUE(server_->observer.WaitFor("FindAssignment OK"));
  // A drain waits for answers that are not read yet.
  EXPECT_FALSE(server_->gate.WaitIdle(absl::ZeroDuration()));
  server_->clock.Advance(absl::Milliseconds(9900));
  server_->gate.Tick();
  EXPECT_FALSE(server_->gate.WaitIdle(absl::ZeroDuration()));
  server_->clock.Advance(absl::Milliseconds(100));
  server_->gate.Tick();
  EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
  const std::vector<std::string> events = server_->observer.events.Get();
  EXPECT_EQ(std::count(events.begin(), events.end(), "FindAssignment RESOURCE_EXHAUSTED"), 5);
  EXPECT_EQ(std::count(events.begin(), events.end(), "FindAssignment OK"), 1);
  LetGo();
}

TEST_F(UnreadTest, BeyondTheBoundTheOldestIsCutOff) {
  Start({.max_unread_answers = 3});
  const auto cut = [this](int expected) {
    return server_->observer.events.WaitFor([expected](const auto& list) {
      return std::count(list.begin(), list.end(), "FindAssignment RESOURCE_EXHAUSTED") >= expected;
    });
  };
  for (int i = 0; i < 3; ++i) AskWithoutReading();
  EXPECT_TRUE(Find().ok());
  // For a moment, the answer just read was the fourth unread one.
  EXPECT_TRUE(cut(1));
  AskWithoutReading();
  AskWithoutReading();
  EXPECT_TRUE(cut(2));
  EXPECT_FALSE(server_->gate.WaitIdle(absl::ZeroDuration()));
  EXPECT_EQ(server_->observer.events.Get().size(), 3u);
  server_->gate.CancelStreams();
  EXPECT_TRUE(server_->gate.WaitIdle(kPatience));
  LetGo();
}

TEST_F(UnreadTest, BeyondTheBoundOfBytesTheOldestIsCutOff) {
  Start({.max_unread_bytes = 2 * kBig + kBig / 2});
  for (int i = 0; i < 3; ++i) AskWithoutReading();
  EXPECT_TRUE(server_->observer.WaitFor("FindAssignment RESOURCE_EXHAUSTED"));
  EXPECT_EQ(server_->observer.events.Get().size(), 1u);
  LetGo();
}

}  // namespace
}  // namespace hail::rpc
