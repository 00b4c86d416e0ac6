#include "common/rpc/service_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/rpc/health_service.h"
#include "common/rpc/status.h"
#include "common/rpc/termination.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
  // During the notice period health is NOT_SERVING, and the host still answers.
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

// A stream of raw messages.
class RawStream {
 public:
  RawStream(const std::string& address, const std::string& method) : stub_(MakeChannel(address)) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    stream_ = stub_.PrepareCall(&context_, method, &queue_);
    stream_->StartCall(nullptr);
    Step();
  }
  ~RawStream() {
    context_.TryCancel();
    if (!ended_) (void)End();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  bool Send(const std::string& message) {
    const grpc::Slice slice(message);
    stream_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    return Step();
  }
  // nullopt at the end.
  std::optional<std::string> Next() {
    grpc::ByteBuffer message;
    stream_->Read(&message, nullptr);
    grpc::Slice joined;
    if (!Step() || !message.DumpToSingleSlice(&joined).ok()) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(joined.begin()), joined.size());
  }
  // Sends `request` and returns the answer; "" if there is none.
  std::string Ask(const std::string& request) { return Send(request) ? Next().value_or("") : ""; }
  void HalfClose() {
    stream_->WritesDone(nullptr);
    Step();
  }
  absl::Status End() {
    ended_ = true;
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Step();
    return FromGrpc(status);
  }

 private:
  bool Step() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  bool ended_ = false;
};

// A message with one field: `text`, of less than 128 bytes.
std::string TextField(int number, const std::string& text) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(text.size())} + text;
}

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "/grpc.health.v1.Health/Watch";
constexpr char kService[] = "hail.internal.v1.AssignmentService";

TEST(ServiceHostTest, HealthIsAskedByTheNameOfEachService) {
  TestServer server;
  server.Start();
  for (const char* name : {kService, "grpc.health.v1.Health", "grpc.channelz.v1.Channelz"}) {
    EXPECT_EQ(Raw(server.address(), kCheck, TextField(1, name)).second, kServing) << name;
  }
  const std::string public_address = "127.0.0.1:" + std::to_string(server.host.port());
  for (const char* name : {kService, "hail", "/"}) {
    const auto [status, response] = Raw(public_address, kCheck, TextField(1, name));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND) << name;
    EXPECT_TRUE(HasReason(FromGrpc(status), Reason::kNotServed));
  }
  const auto [status, response] = Raw(public_address, kCheck, "\xff\xff");
  EXPECT_TRUE(HasReason(FromGrpc(status), Reason::kUnreadableMessage));
}

TEST(ServiceHostTest, WatchesOfHealthAreToldOfEachChangeUntilTheServiceDrains) {
  FakeClock clock;
  Gate gate(&clock, {}, nullptr);
  FunctionService service(&gate);
  ServiceHost host({.notice = absl::Milliseconds(500)}, &gate);
  std::atomic<bool> healthy{true};
  ASSERT_TRUE(host.Start({}, {&service}, [&] { return healthy.load(); }).ok());
  const std::string address = "127.0.0.1:" + std::to_string(host.internal_port());
  RawStream whole(address, kWatch);
  RawStream one(address, kWatch);
  RawStream unknown(address, kWatch);
  ASSERT_TRUE(whole.Send("") && one.Send(TextField(1, kService)) && unknown.Send(TextField(1, "nobody")));
  // SERVICE_UNKNOWN; the watch stays open, as in gRPC, because a service may be added later.
  EXPECT_EQ(unknown.Next(), std::string("\x08\x03", 2));
  for (RawStream* stream : {&whole, &one}) EXPECT_EQ(stream->Next(), kServing);
  healthy = false;
  for (RawStream* stream : {&whole, &one}) EXPECT_EQ(stream->Next(), kNotServing);
  healthy = true;
  for (RawStream* stream : {&whole, &one}) EXPECT_EQ(stream->Next(), kServing);
  std::thread drain([&] { host.Drain(); });
  for (RawStream* stream : {&whole, &one}) {
    EXPECT_EQ(stream->Next(), kNotServing);
    EXPECT_EQ(stream->Next(), std::nullopt);
    EXPECT_TRUE(HasReason(stream->End(), Reason::kDraining));
  }
  EXPECT_EQ(unknown.Next(), std::nullopt);
  drain.join();
}

TEST(ServiceHostTest, WatchesOfHealthAreCounted) {
  HealthService health(2);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&health);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  {
    RawStream first(address, kWatch);
    RawStream second(address, kWatch);
    EXPECT_EQ(first.Ask(""), kNotServing);
    EXPECT_EQ(second.Ask(""), kNotServing);
    RawStream third(address, kWatch);
    EXPECT_EQ(third.Ask(""), "");
    EXPECT_TRUE(HasReason(third.End(), Reason::kOverloaded));
    EXPECT_EQ(health.watches(), 2u);
  }
  // A watch that ends makes room for another.
  const absl::Time limit = absl::Now() + kPatience;
  while (health.watches() > 0 && absl::Now() < limit) std::this_thread::yield();
  RawStream another(address, kWatch);
  EXPECT_EQ(another.Ask(""), kNotServing);
  health.End();
  EXPECT_EQ(another.Next(), std::nullopt);
  EXPECT_EQ(another.End().code(), absl::StatusCode::kUnavailable);
}

TEST(ServiceHostTest, AMethodThatIsNotServedIsRefusedWithAReason) {
  TestServer server;
  server.Start();
  for (const std::string& address : {server.address(), "127.0.0.1:" + std::to_string(server.host.port())}) {
    for (const std::string& method :
         std::vector<std::string>{"/hail.internal.v1.AssignmentService/Nothing", "/nobody.Service/Method", "/x"}) {
      const absl::Status status = FromGrpc(Raw(address, method, "").first);
      EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << method;
      EXPECT_TRUE(HasReason(status, Reason::kNotServed)) << method;
    }
  }
  // The observer counts all such methods under one name.
  EXPECT_TRUE(server.observer.WaitFor("NotServed UNIMPLEMENTED"));
}

TEST(NotServingHostTest, EveryMethodIsToBeRepeatedAndHealthSaysNo) {
  const NotServingHost host({});
  ASSERT_TRUE(host.bound());
  for (const int port : {host.port(), host.internal_port()}) {
    const std::string address = "127.0.0.1:" + std::to_string(port);
    for (const char* method :
         {"/hail.rider.v1.RiderService/RequestRide", "/hail.internal.v1.AssignmentService/FindAssignment", "/x"}) {
      const absl::Status status = FromGrpc(Raw(address, method, "").first);
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << method;
      EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable)) << method;
      ASSERT_TRUE(DetailsOf(status).has_value());
      EXPECT_EQ(DetailsOf(status)->retry_after, absl::Seconds(1));
    }
    // Streams are refused as well.
    RawStream stream(address, "/hail.driver.v1.DriverService/StreamDriver");
    EXPECT_EQ(stream.Next(), std::nullopt);
    EXPECT_TRUE(HasReason(stream.End(), Reason::kStoreUnavailable));
    EXPECT_EQ(Health(address), kNotServing);
    EXPECT_EQ(Raw(address, kCheck, TextField(1, kService)).second, kNotServing);
  }
}

constexpr char kReflect[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr char kReflectBefore[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const std::string kListServices = TextField(7, "*");

// file_containing_symbol.
std::string Symbol(const std::string& name) { return TextField(4, name); }

TEST(ReflectionTest, IsThereWhereItWasAskedForAlone) {
  TestServer server({}, {.internal_reflection = true});
  server.Start();
  EXPECT_THAT(RawStream(server.address(), kReflect).Ask(kListServices), HasSubstr(kService));
  RawStream elsewhere("127.0.0.1:" + std::to_string(server.host.port()), kReflect);
  EXPECT_EQ(elsewhere.Next(), std::nullopt);
  EXPECT_TRUE(HasReason(elsewhere.End(), Reason::kNotServed));
}

TEST(ReflectionTest, DescribesAllThatItLists) {
  TestServer server({}, {.internal_reflection = true});
  server.Start();
  for (const char* method : {kReflect, kReflectBefore}) {
    RawStream stream(server.address(), method);
    const std::string listed = stream.Ask(kListServices);
    for (const std::string& name :
         std::vector<std::string>{kService, "grpc.health.v1.Health", "grpc.channelz.v1.Channelz",
                                  "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}) {
      EXPECT_THAT(listed, HasSubstr(name));
      // The answer holds the file itself, with its package.
      EXPECT_THAT(stream.Ask(Symbol(name)), HasSubstr(TextField(2, name.substr(0, name.rfind('.'))))) << name;
    }
    // A method, a message, a field, and the types of error details.
    for (const std::string& name :
         {std::string(kService) + ".FindAssignment", std::string("hail.internal.v1.FindAssignmentRequest"),
          std::string("hail.internal.v1.FindAssignmentRequest.driver_id"), std::string("google.rpc.ErrorInfo"),
          std::string("google.protobuf.Duration")}) {
      EXPECT_THAT(stream.Ask(Symbol(name)), Not(HasSubstr("not found"))) << name;
    }
    EXPECT_THAT(stream.Ask(TextField(3, "hail/internal/v1/assignment_service.proto")), HasSubstr("FindAssignment"));
    // The contract between the services carries a driver's command, so its file is described too.
    EXPECT_THAT(stream.Ask(Symbol("hail.driver.v1.AdvanceTripRequest")), Not(HasSubstr("not found")));
    // The contract with riders is linked into this process, but no served contract uses it.
    EXPECT_THAT(stream.Ask(Symbol("hail.rider.v1.RiderService")), HasSubstr("not found"));
    EXPECT_THAT(stream.Ask(Symbol("nothing")), HasSubstr("not found"));
    EXPECT_THAT(stream.Ask(""), HasSubstr("nothing is asked"));
    stream.HalfClose();
    EXPECT_EQ(stream.Next(), std::nullopt);
    EXPECT_TRUE(stream.End().ok());
  }
  RawStream unreadable(server.address(), kReflect);
  EXPECT_EQ(unreadable.Ask("\xff\xff"), "");
  EXPECT_TRUE(HasReason(unreadable.End(), Reason::kUnreadableMessage));
}

TEST(ReflectionTest, StreamsAreCountedAndEndWhenNothingIsAsked) {
  TestServer server({}, {.internal_reflection = true});
  server.Start();
  std::vector<std::unique_ptr<RawStream>> streams;
  for (int i = 0; i < 100; ++i) {
    streams.push_back(std::make_unique<RawStream>(server.address(), kReflect));
    ASSERT_THAT(streams.back()->Ask(kListServices), HasSubstr(kService));
  }
  EXPECT_EQ(server.gate.streams(), 100u);
  RawStream more(server.address(), kReflect);
  EXPECT_EQ(more.Ask(kListServices), "");
  EXPECT_TRUE(HasReason(more.End(), Reason::kOverloaded));
  server.clock.Advance(absl::Minutes(2));
  server.gate.Tick();
  for (const auto& stream : streams) {
    EXPECT_EQ(stream->Next(), std::nullopt);
    EXPECT_TRUE(stream->End().ok());
  }
  const absl::Time limit = absl::Now() + kPatience;
  while (server.gate.streams() > 0 && absl::Now() < limit) std::this_thread::yield();
  RawStream again(server.address(), kReflect);
  EXPECT_THAT(again.Ask(kListServices), HasSubstr(kService));
  // A drain ends the stream as well.
  std::thread drain([&] { server.host.Drain(); });
  EXPECT_EQ(again.Next(), std::nullopt);
  EXPECT_TRUE(again.End().ok());
  drain.join();
}

TEST(PortFileTest, IsWrittenWhole) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("hail-ports-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = (folder / "ports").string();
  // An existing file of that name is replaced; a symbolic link is not followed.
  std::filesystem::create_symlink(folder / "elsewhere", path);
  ASSERT_TRUE(WritePortFile(path, {{"listen", 1234}, {"internal_listen", 5}}).ok());
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "{\"internal_listen\":5,\"listen\":1234}\n");
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
  // No temporary file is left.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  std::filesystem::remove_all(folder);
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
