#include "common/rpc/listener_limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/unit/common/rpc/fixture.h"
#include "tests/unit/common/rpc/raw_http2.h"

namespace hail::rpc {
namespace {

using Frame = RawHttp2::Frame;

constexpr char kFind[] = "/hail.internal.v1.AssignmentService/FindAssignment";

// RFC 9113, 6.5.2.
constexpr int kHeaderTableSize = 1;
constexpr int kMaxConcurrentStreams = 3;
constexpr int kInitialWindowSize = 4;
constexpr int kMaxFrameSize = 5;
constexpr int kMaxHeaderListSize = 6;

std::map<int, std::uint32_t> Announced(int port) {
  const RawHttp2 client(port);
  client.Greet();
  const auto frame = client.NextThat([](const Frame& each) { return each.kind == RawHttp2::kSettings; });
  // SETTINGS leave out the values that are HTTP/2's defaults.
  std::map<int, std::uint32_t> settings{
      {kHeaderTableSize, 4096}, {kInitialWindowSize, 65'535}, {kMaxFrameSize, 16'384}};
  if (frame) {
    for (const auto& [key, value] : RawHttp2::Settings(frame->payload)) settings[key] = value;
  }
  return settings;
}

TEST(ListenerLimitsTest, WhatAClientMayDoIsSaid) {
  TestServer server;
  server.Start();
  for (const auto& [port, streams] :
       std::vector<std::pair<int, std::uint32_t>>{{server.host.port(), 500}, {server.host.internal_port(), 10'000}}) {
    std::map<int, std::uint32_t> settings = Announced(port);
    EXPECT_EQ(settings[kMaxConcurrentStreams], streams);
    EXPECT_EQ(settings[kHeaderTableSize], 4096u);
    EXPECT_EQ(settings[kMaxHeaderListSize], 16'384u);
  }
  // Both are 4 MiB at first where gRPC may adapt them.
  std::map<int, std::uint32_t> settings = Announced(server.host.port());
  EXPECT_EQ(settings[kInitialWindowSize], 65'535u);
  EXPECT_EQ(settings[kMaxFrameSize], 16'384u);
}

// Sends `request` to FindAssignment with `compression`.
grpc::Status Find(const std::string& address, grpc_compression_algorithm compression, const std::string& request) {
  grpc::GenericStub stub(MakeChannel(address));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  context.set_compression_algorithm(compression);
  const grpc::Slice slice(request);
  const grpc::ByteBuffer bytes(&slice, 1);
  grpc::ByteBuffer response;
  Watched<std::optional<grpc::Status>> outcome;
  stub.UnaryCall(&context, kFind, {}, &bytes, &response,
                 [&](grpc::Status status) { outcome.Update([&](auto& slot) { slot = std::move(status); }); });
  EXPECT_TRUE(outcome.WaitFor([](const auto& slot) { return slot.has_value(); }));
  return *outcome.Get();
}

TEST(ListenerLimitsTest, CompressedMessagesAreRefused) {
  TestServer server;
  Watched<int> calls(0);
  server.service.on_find = [&](const std::shared_ptr<FindCall>& call) {
    calls.Update([](int& count) { ++count; });
    call->Finish();
  };
  server.Start();
  // FindAssignmentRequest {driver_id = "aaa…"}: 60,000 bytes that compress to about a hundred.
  std::string request("\x0a\xe0\xd4\x03", 4);
  request += std::string(60'000, 'a');
  EXPECT_TRUE(Find(server.address(), GRPC_COMPRESS_NONE, request).ok());
  EXPECT_EQ(calls.Get(), 1);
  for (const grpc_compression_algorithm compression : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    EXPECT_EQ(Find(server.address(), compression, request).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
  EXPECT_EQ(calls.Get(), 1);
}

TEST(ListenerLimitsTest, OneConnectionHasOnlySoManyCallsUnderWay) {
  HostOptions options;
  options.internal_limits.max_streams = 2;
  TestServer server({}, options);
  Watched<std::vector<std::shared_ptr<FindCall>>> held;
  server.service.on_find = [&](const std::shared_ptr<FindCall>& call) {
    held.Update([&](auto& calls) { calls.push_back(call); });
  };
  server.Start();
  grpc::GenericStub stub(MakeChannel(server.address()));
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
  };
  std::vector<Call> calls(5);
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  Watched<int> answered(0);
  for (Call& call : calls) {
    call.context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    call.context.set_wait_for_ready(true);
    stub.UnaryCall(&call.context, kFind, {}, &request, &call.response, [&](const grpc::Status& status) {
      EXPECT_TRUE(status.ok()) << status.error_message();
      answered.Update([](int& count) { ++count; });
    });
  }
  for (int done = 0; done < 5; ++done) {
    ASSERT_TRUE(held.WaitFor([](const auto& under_way) { return !under_way.empty(); }));
    std::shared_ptr<FindCall> first;
    held.Update([&](auto& under_way) {
      EXPECT_LE(under_way.size(), 2u);
      first = std::move(under_way.front());
      under_way.erase(under_way.begin());
    });
    first->Finish();
    first.reset();
    ASSERT_TRUE(answered.WaitFor([&](int count) { return count > done; }));
  }
}

TEST(ListenerLimitsTest, AFloodOfPingsEndsItsConnection) {
  TestServer server;
  server.Start();
  const RawHttp2 client(server.host.port());
  client.Greet();
  for (int i = 0; i < 10; ++i) client.SendFrame({.kind = RawHttp2::kPing, .payload = std::string(8, 'x')});
  const auto goodbye = client.NextThat([](const Frame& each) { return each.kind == RawHttp2::kGoAway; });
  ASSERT_TRUE(goodbye.has_value());
  // ENHANCE_YOUR_CALM, after the last stream's number.
  EXPECT_EQ(goodbye->payload.substr(4, 4), std::string("\0\0\0\x0b", 4));
  EXPECT_FALSE(client.NextThat([](const Frame&) { return false; }).has_value());
}

// gRPC uses such pings to find the right window for a connection.
TEST(ListenerLimitsTest, OnlyFriendsMayWidenTheirWindow) {
  TestServer server;
  server.Start();
  const auto pinged = [](int port) {
    const RawHttp2 client(port);
    client.Greet();
    bool pinged = false;
    // Several calls: the ping for the first one may follow its answer.
    for (std::uint32_t stream = 1; stream < 20 && !pinged; stream += 2) {
      client.Call(stream, "/grpc.health.v1.Health/Check");
      client.NextThat([&](const Frame& each) {
        pinged = pinged || (each.kind == RawHttp2::kPing && (each.flags & RawHttp2::kAck) == 0);
        return each.kind == RawHttp2::kHeaders && (each.flags & RawHttp2::kEndStream) != 0;
      });
    }
    return pinged;
  };
  EXPECT_FALSE(pinged(server.host.port()));
  EXPECT_TRUE(pinged(server.host.internal_port()));
}

TEST(ListenerLimitsTest, WhoSaysNothingDoesNotStay) {
  HostOptions options;
  options.limits.greeting = absl::Milliseconds(200);
  options.internal_limits.idle = absl::Milliseconds(200);
  TestServer server({}, options);
  server.Start();
  const RawHttp2 silent(server.host.port());
  ASSERT_TRUE(silent.connected());
  EXPECT_FALSE(silent.NextThat([](const Frame&) { return false; }).has_value());
  // A client that greets and then calls nothing gets a GOAWAY.
  const RawHttp2 idle(server.host.internal_port());
  idle.Greet();
  EXPECT_TRUE(idle.NextThat([](const Frame& each) { return each.kind == RawHttp2::kGoAway; }).has_value());
}

}  // namespace
}  // namespace hail::rpc
