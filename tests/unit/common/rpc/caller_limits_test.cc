// The limits and the record of each caller, over gRPC: what gate_test.cc shows of the gate holds for real calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/audit/rule.h"
#include "common/errors/error.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/client_network.h"
#include "common/rpc/status.h"
#include "tests/matchers.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Believes the metadata "x-rider" and "x-server". "x-rider: bad" is not valid. The tests' connection counts as the
// edge's.
class NamesItself final : public Authenticator {
 public:
  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time) const override {
    for (const auto& [header, role] : {std::pair("x-rider", auth::Role::kRider), {"x-server", auth::Role::kServer}}) {
      const auto found = call.client_metadata().find(header);
      if (found == call.client_metadata().end()) continue;
      const std::string name(found->second.data(), found->second.size());
      if (name == "bad") {
        return MakeError(absl::StatusCode::kUnauthenticated, "not valid", {.reason = Reason::kTokenInvalid});
      }
      return auth::Caller({.role = role, .subject = name});
    }
    return auth::Caller();
  }
  std::optional<limits::Network> NetworkOf(const grpc::ServerContextBase& call) const override {
    return rpc::NetworkOf(call, /*peer_is_edge=*/true);
  }
};

class ListRecorder final : public CallRecorder {
 public:
  void OnCall(const RecordedCall& call, const absl::Status& status) override {
    const auth::Identity* const identity = call.context.caller.identity();
    std::string line = identity == nullptr ? "nobody" : identity->subject;
    line += call.context.network ? " at " + call.context.network->Text() : "";
    line +=
        std::string(call.stream ? " opens " : " calls ") + std::string(call.service) + "/" + std::string(call.method);
    line += ": " + std::string(status.ok() ? "OK" : ReasonName(DetailsOf(status)->reason));
    calls.Update([&](auto& list) { list.push_back(std::move(line)); });
  }
  Watched<std::vector<std::string>> calls;
};

class CallerLimitsTest : public ::testing::Test {
 protected:
  CallerLimitsTest()
      : gate_(&clock_, Options(&recorder_), &observer_),
        service_(&gate_, {.greets = true}, &names_, limits::Class::kRead),
        host_({}, &gate_) {}
  void SetUp() override {
    const absl::Status started = host_.Start({}, {&service_}, [] { return true; });
    ASSERT_TRUE(started.ok()) << started;
    stub_ = v1::AssignmentService::NewStub(MakeChannel("127.0.0.1:" + std::to_string(host_.internal_port())));
    service_.on_find = [](std::shared_ptr<FindCall> call) { call->Finish(); };
  }
  static GateOptions Options(CallRecorder* recorder) {
    GateOptions options;
    options.max_unary_in_flight = 32;
    options.rates = limits::CallLimits::Shipped();
    options.recorder = recorder;
    options.tick = absl::ZeroDuration();
    return options;
  }
  using Headers = std::vector<std::pair<std::string, std::string>>;
  static void Prepare(const Headers& headers, grpc::ClientContext* context) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    for (const auto& [name, value] : headers) context->AddMetadata(name, value);
  }
  absl::Status Find(const Headers& headers) {
    grpc::ClientContext context;
    Prepare(headers, &context);
    v1::FindAssignmentResponse response;
    return FromGrpc(stub_->FindAssignment(&context, {}, &response));
  }
  // How many of `calls` are answered. All others must be refused as RATE_LIMITED.
  int Answered(const Headers& headers, int calls) {
    int answered = 0;
    for (int i = 0; i < calls; ++i) {
      const absl::Status status = Find(headers);
      if (status.ok()) {
        ++answered;
      } else {
        EXPECT_THAT(status, HasReason(Reason::kRateLimited));
      }
    }
    return answered;
  }

  FakeClock clock_;
  RecordingObserver observer_;
  ListRecorder recorder_;
  const NamesItself names_;
  Gate gate_;
  FunctionService service_;
  ServiceHost host_;
  std::unique_ptr<v1::AssignmentService::Stub> stub_;
};

TEST_F(CallerLimitsTest, EachCallerOfOneConnectionHasItsRate) {
  EXPECT_EQ(Answered({{"x-rider", "ada"}}, 200), 50);
  EXPECT_EQ(Answered({{"x-rider", "bob"}}, 20), 20);
  EXPECT_EQ(Answered({{"x-server", "backend"}}, 200), 200);
  const absl::Status refused = Find({{"x-rider", "ada"}});
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DetailsOf(refused)->retry_after, absl::Milliseconds(20));
  clock_.Advance(absl::Milliseconds(20));
  EXPECT_EQ(Answered({{"x-rider", "ada"}}, 2), 1);
  EXPECT_EQ(gate_.unary_in_flight(), 0u);
}

TEST_F(CallerLimitsTest, WhatTheClientWroteBeforeTheEdgesAddressCountsForNothing) {
  int answered = 0;
  for (int i = 0; i < 60; ++i) answered += Answered({{"x-forwarded-for", std::to_string(i) + ".0.0.1, 192.0.2.1"}}, 1);
  EXPECT_EQ(answered, 50);
  EXPECT_EQ(Answered({{"x-forwarded-for", "192.0.2.1, 192.0.2.2"}}, 1), 1);
  // The edge's header is the last one.
  EXPECT_EQ(Answered({{"x-forwarded-for", "198.51.100.1"}, {"x-forwarded-for", "192.0.2.1"}}, 1), 0);
}

TEST_F(CallerLimitsTest, OneCallersCallsInFlightLeaveRoomForOthers) {
  Watched<std::vector<std::shared_ptr<FindCall>>> held;
  service_.on_find = [&](std::shared_ptr<FindCall> call) {
    held.Update([&](auto& list) { list.push_back(std::move(call)); });
  };
  std::vector<std::thread> callers;
  Watched<std::vector<absl::Status>> refused;
  for (int i = 0; i < 10; ++i) {
    callers.emplace_back([&] {
      const absl::Status status = Find({{"x-rider", "ada"}});
      if (!status.ok()) refused.Update([&](auto& list) { list.push_back(status); });
    });
  }
  EXPECT_TRUE(refused.WaitFor([](const auto& list) { return list.size() == 8; }));
  for (const absl::Status& status : refused.Get()) EXPECT_THAT(status, HasReason(Reason::kRateLimited));
  EXPECT_TRUE(held.WaitFor([](const auto& list) { return list.size() == 2; }));
  callers.emplace_back([&] { EXPECT_TRUE(Find({{"x-rider", "bob"}}).ok()); });
  EXPECT_TRUE(held.WaitFor([](const auto& list) { return list.size() == 3; }));
  held.Update([](auto& list) {
    for (const auto& call : list) call->Finish();
    list.clear();
  });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(refused.Get().size(), 8u);
  EXPECT_TRUE(gate_.WaitIdle(kPatience));
}

TEST_F(CallerLimitsTest, ACallerHasThreeStreams) {
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::WatchDriversRequest, v1::WatchDriversResponse>> stream;
  };
  const auto open = [this](const std::string& rider) {
    auto watch = std::make_unique<Watch>();
    Prepare({{"x-rider", rider}}, &watch->context);
    watch->stream = stub_->WatchDrivers(&watch->context);
    watch->stream->WaitForInitialMetadata();
    return watch;
  };
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 3; ++i) watches.push_back(open("ada"));
  EXPECT_EQ(gate_.streams(), 3u);
  EXPECT_THAT(FromGrpc(open("ada")->stream->Finish()), HasReason(Reason::kRateLimited));
  watches.push_back(open("bob"));
  EXPECT_THAT(FromGrpc(open("bad")->stream->Finish()), HasReason(Reason::kTokenInvalid));
  for (const auto& watch : watches) {
    watch->stream->WritesDone();
    EXPECT_TRUE(watch->stream->Finish().ok());
  }
  EXPECT_TRUE(gate_.WaitIdle(kPatience));
  EXPECT_THAT(recorder_.calls.Get(),
              ElementsAre("ada opens hail.internal.v1.AssignmentService/WatchDrivers: RATE_LIMITED",
                          "nobody opens hail.internal.v1.AssignmentService/WatchDrivers: TOKEN_INVALID"));
}

TEST_F(CallerLimitsTest, DeniedCallsAreRecorded) {
  EXPECT_TRUE(Find({{"x-rider", "ada"}}).ok());
  service_.on_find = [](std::shared_ptr<FindCall> call) { call->Finish(NotFound(Reason::kRideNotFound, "no")); };
  EXPECT_FALSE(Find({{"x-rider", "ada"}}).ok());
  EXPECT_THAT(recorder_.calls.Get(), IsEmpty());
  EXPECT_THAT(Find({{"x-rider", "bad"}, {"x-forwarded-for", "192.0.2.1"}}), HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(
      recorder_.calls.Get(),
      ElementsAre("nobody at 192.0.2.1 calls hail.internal.v1.AssignmentService/FindAssignment: TOKEN_INVALID"));
}

}  // namespace
}  // namespace hail::rpc
