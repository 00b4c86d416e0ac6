// Unreadable messages on every kind of method, and calls of methods that the contract does not have.
#include "common/rpc/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "grpcpp/generic/generic_stub.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

namespace rider = hail::rider::v1;

// Field 1 with the byte ff; with half a surrogate pair; cut off; field number 0.
const std::vector<std::string>& Unreadable() {
  static const auto* const bytes =
      new std::vector<std::string>{std::string("\x0a\x01\xff"), std::string("\x0a\x03\xed\xa0\xbd"),
                                   std::string("\x0a\x05\x61\x62"), std::string("\0\0", 2)};
  return *bytes;
}

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

// A service with a server stream, the fourth kind of method.
class WatchService final : public Service {
 public:
  explicit WatchService(Gate* gate) : Service(gate, rider::RiderService::service_full_name(), &ChecksNobody()) {
    ServerStream<rider::WatchRideRequest, rider::WatchRideResponse>(
        "WatchRide", {},
        [](const rider::WatchRideRequest&, const std::shared_ptr<StreamWriter<rider::WatchRideResponse>>& writer,
           const CallContext&) {
          ADD_FAILURE() << "a session for an unreadable request";
          return std::make_shared<FunctionSession<int>>(writer);
        });
  }
};

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.service.on_find = [](std::shared_ptr<FindCall> call) { call->Finish(); };
    server_.service.on_watch = [this](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
      session.on_message = [this](const v1::WatchDriversRequest&) { heard_.Update([](int& n) { ++n; }); };
    };
    server_.service.on_report = [this](ReportSession& session, const std::shared_ptr<StreamWriterBase>&) {
      session.on_message = [this](const v1::ReportLocationsRequest&) { heard_.Update([](int& n) { ++n; }); };
    };
    const absl::Status started = server_.host.Start({&watch_}, {&server_.service}, [] { return true; });
    ASSERT_TRUE(started.ok()) << started;
    stub_ = std::make_unique<grpc::GenericStub>(MakeChannel(server_.address()));
    public_stub_ = std::make_unique<grpc::GenericStub>(MakeChannel("127.0.0.1:" + std::to_string(server_.host.port())));
  }

  // The final status of a call that sends `messages`.
  absl::Status End(grpc::GenericStub& stub, const std::string& method, const std::vector<std::string>& messages) {
    struct Reactor final : grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
      void Go() {
        StartCall();
        StartRead(&incoming);
        OnWriteDone(true);
      }
      void OnWriteDone(bool) override {
        if (next == messages.size()) {
          StartWritesDone();
        } else {
          outgoing = Bytes(messages[next++]);
          StartWrite(&outgoing);
        }
      }
      void OnWritesDoneDone(bool) override {}
      void OnReadDone(bool ok) override {
        if (ok) StartRead(&incoming);
      }
      void OnDone(const grpc::Status& ended) override {
        status.Update([&](auto& value) { value = FromGrpc(ended); });
      }
      std::vector<std::string> messages;
      std::size_t next = 0;
      grpc::ByteBuffer outgoing, incoming;
      Watched<std::optional<absl::Status>> status;
    };
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    Reactor reactor;
    reactor.messages = messages;
    stub.PrepareBidiStreamingCall(&context, method, {}, &reactor);
    reactor.Go();
    EXPECT_TRUE(reactor.status.WaitFor([](const auto& value) { return value.has_value(); }, kPatience * 2));
    return reactor.status.Get().value_or(absl::UnknownError("did not end"));
  }
  static void ExpectUnreadable(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_TRUE(HasReason(status, Reason::kUnreadableMessage)) << status;
  }

  TestServer server_;
  WatchService watch_{&server_.gate};
  std::unique_ptr<grpc::GenericStub> stub_;
  std::unique_ptr<grpc::GenericStub> public_stub_;
  Watched<int> heard_;
};

TEST_F(ServiceTest, ARequestThatCannotBeReadIsRefusedAndCounted) {
  for (const std::string& bytes : Unreadable()) {
    ExpectUnreadable(End(*stub_, "/hail.internal.v1.AssignmentService/FindAssignment", {bytes}));
  }
  EXPECT_TRUE(server_.observer.events.WaitFor([](const auto& list) {
    return list == std::vector<std::string>(Unreadable().size(), "FindAssignment INVALID_ARGUMENT");
  }));
  EXPECT_TRUE(End(*stub_, "/hail.internal.v1.AssignmentService/FindAssignment", {""}).ok()) << "the empty request";
  EXPECT_TRUE(server_.gate.WaitIdle(kPatience));
}

TEST_F(ServiceTest, ACallWithoutAMessageIsRefused) {
  ExpectUnreadable(End(*stub_, "/hail.internal.v1.AssignmentService/FindAssignment", {}));
  ExpectUnreadable(End(*public_stub_, "/hail.rider.v1.RiderService/WatchRide", {}));
}

TEST_F(ServiceTest, AStreamEndsWithTheMessageThatCannotBeRead) {
  for (const std::string& bytes : Unreadable()) {
    heard_.Update([](int& n) { n = 0; });
    ExpectUnreadable(End(*stub_, "/hail.internal.v1.AssignmentService/WatchDrivers", {"", "", bytes, ""}));
    EXPECT_EQ(heard_.Get(), 2);
    ExpectUnreadable(
        End(*stub_, "/hail.internal.v1.AssignmentService/ReportLocations", {"", "", "\x0a" + bytes + "x", ""}));
  }
  ASSERT_TRUE(server_.observer.WaitFor("WatchDrivers INVALID_ARGUMENT"));
  ASSERT_TRUE(server_.observer.WaitFor("ReportLocations INVALID_ARGUMENT"));
  EXPECT_TRUE(server_.gate.WaitIdle(kPatience));
}

TEST_F(ServiceTest, AServerStreamIsNotOpenedByARequestThatCannotBeRead) {
  for (const std::string& bytes : Unreadable()) {
    ExpectUnreadable(End(*public_stub_, "/hail.rider.v1.RiderService/WatchRide", {bytes}));
  }
  ASSERT_TRUE(server_.observer.WaitFor("WatchRide INVALID_ARGUMENT"));
  EXPECT_TRUE(HasReason(End(*public_stub_, "/hail.rider.v1.RiderService/WatchRide",
                            {std::string("\x0a\xf0\xa2\x04") + std::string(70'000, 'x')}),
                        Reason::kInvalidField));
  EXPECT_TRUE(server_.gate.WaitIdle(kPatience));
}

TEST(ServiceDeathTest, WhatIsNotInTheContractIsNotServed) {
  struct Wrong final : Service {
    explicit Wrong(Gate* gate, int what) : Service(gate, v1::AssignmentService::service_full_name(), &ChecksNobody()) {
      const auto nothing = [](const auto&) {};
      if (what == 0) Unary<v1::FindAssignmentRequest, v1::FindAssignmentResponse>("FindNothing", nothing);
      if (what == 1) Unary<v1::FindAssignmentRequest, v1::ResolveRideResponse>("FindAssignment", nothing);
      if (what == 2) Unary<v1::WatchDriversRequest, v1::WatchDriversResponse>("WatchDrivers", nothing);
    }
  };
  FakeClock clock;
  Gate gate(&clock, {.tick = absl::ZeroDuration()}, nullptr);
  for (const int what : {0, 1, 2}) EXPECT_DEATH(Wrong(&gate, what), "as the contract has it");
}

}  // namespace
}  // namespace hail::rpc
