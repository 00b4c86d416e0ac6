#include "common/rpc/service_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "common/rpc/termination.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

using ::testing::HasSubstr;

// Calls any unary method with a raw request, and returns the raw response.
std::pair<grpc::Status, std::string> Raw(const std::string& address, const std::string& method,
                                         const std::string& request) {
  grpc::GenericStub stub(MakeChannel(address));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  const grpc::Slice slice(request);
  const grpc::ByteBuffer request_bytes(&slice, 1);
  grpc::ByteBuffer response;
  Watched<std::optional<grpc::Status>> outcome;
  stub.UnaryCall(&context, method, {}, &request_bytes, &response,
                 [&](grpc::Status status) { outcome.Update([&](auto& slot) { slot = std::move(status); }); });
  EXPECT_TRUE(outcome.WaitFor([](const auto& slot) { return slot.has_value(); }));
  grpc::Slice joined;
  if (response.Valid() && response.DumpToSingleSlice(&joined).ok()) {
    return {*outcome.Get(), std::string(reinterpret_cast<const char*>(joined.begin()), joined.size())};
  }
  return {*outcome.Get(), ""};
}

// HealthCheckResponse {status = 1}: field 1 as a varint.
const std::string kServing("\x08\x01", 2);
const std::string kNotServing("\x08\x02", 2);

std::string Health(const std::string& address) { return Raw(address, "/grpc.health.v1.Health/Check", "").second; }

TEST(ServiceHostTest, HealthFollowsTheServiceAndDraining) {
  FakeClock clock;
  Gate gate(&clock, {}, nullptr);
  FunctionService service(&gate);
  ServiceHost host({.notice = absl::Milliseconds(500)}, &gate);
  std::atomic<bool> healthy{false};
  ASSERT_TRUE(host.Start({}, {&service}, [&] { return healthy.load(); }).ok());
  const std::string address = "127.0.0.1:" + std::to_string(host.port());
  EXPECT_EQ(Health(address), kNotServing);
  healthy = true;
  const absl::Time limit = absl::Now() + kPatience;
  while (Health(address) != kServing && absl::Now() < limit) std::this_thread::yield();
  EXPECT_EQ(Health(address), kServing);
  EXPECT_EQ(Health("127.0.0.1:" + std::to_string(host.internal_port())), kServing);
  // During the notice it says so, and still serves.
  std::thread drain([&] { host.Drain(); });
  while (Health(address) == kServing && absl::Now() < limit) std::this_thread::yield();
  EXPECT_EQ(Health(address), kNotServing);
  drain.join();
  EXPECT_EQ(Raw(address, "/grpc.health.v1.Health/Check", "").first.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(ServiceHostTest, InternalMethodsAreUnknownToThePublicPort) {
  TestServer server;
  server.service.on_find = [](const std::shared_ptr<FindCall>& call) { call->Finish(); };
  server.Start();
  const std::string method = "/hail.internal.v1.AssignmentService/FindAssignment";
  EXPECT_EQ(Raw("127.0.0.1:" + std::to_string(server.host.port()), method, "").first.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_TRUE(Raw(server.address(), method, "").first.ok());
}

TEST(ServiceHostTest, AMessageOverTheTransportsLimitIsRefused) {
  TestServer server;
  server.service.on_find = [](const std::shared_ptr<FindCall>& call) { call->Finish(); };
  server.Start();
  const std::string method = "/hail.internal.v1.AssignmentService/FindAssignment";
  EXPECT_EQ(Raw(server.address(), method, std::string((16 << 20) + 1, 'x')).first.error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(ServiceHostTest, ATakenPortIsRefused) {
  TestServer first;
  first.Start();
  FakeClock clock;
  Gate gate(&clock, {}, nullptr);
  ServiceHost second({.internal_listen = first.address()}, &gate);
  const absl::Status status = second.Start({}, {}, [] { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(first.address()));
}

TEST(ServiceHostTest, ReflectionAnswers) {
  TestServer server;
  server.Start();
  // One request, list_services (field 7) of anything; the answer is searched for a name, not decoded.
  grpc::GenericStub stub(MakeChannel(server.address()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  grpc::CompletionQueue queue;
  auto stream = stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  ASSERT_TRUE(next());
  const grpc::Slice slice(std::string("\x3a\x01*", 3));
  stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  ASSERT_TRUE(next());
  grpc::ByteBuffer response;
  stream->Read(&response, nullptr);
  ASSERT_TRUE(next());
  grpc::Slice joined;
  ASSERT_TRUE(response.DumpToSingleSlice(&joined).ok());
  EXPECT_THAT(std::string(reinterpret_cast<const char*>(joined.begin()), joined.size()),
              HasSubstr("hail.internal.v1.AssignmentService"));
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  next();
  queue.Shutdown();
}

TEST(PortFileTest, IsWrittenWhole) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("hail-ports-" + std::to_string(getpid()))).string();
  ASSERT_TRUE(WritePortFile(path, {{"listen", 1234}, {"internal_listen", 5}}).ok());
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "{\"internal_listen\":5,\"listen\":1234}\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  std::filesystem::remove(path);
  EXPECT_FALSE(WritePortFile("/nowhere/at/all", {}).ok());
}

TEST(TerminationDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        BlockTermination();
        kill(getpid(), SIGTERM);
        if (WaitForTermination() != SIGTERM) _exit(1);
        kill(getpid(), SIGINT);
        absl::SleepFor(kPatience);
        _exit(2);
      },
      ::testing::ExitedWithCode(128 + SIGINT), "");
}

}  // namespace
}  // namespace hail::rpc
