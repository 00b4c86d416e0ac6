#include "common/rpc/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/tls/private_identity.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/unit/common/rpc/fixture.h"
#include "tests/unit/common/tls/certificates.h"
#include "tests/unit/temp_file.h"

namespace hail::rpc {
namespace {

using hail::testing::TestAuthority;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFind[] = "/hail.internal.v1.AssignmentService/FindAssignment";
constexpr char kHealth[] = "/grpc.health.v1.Health/Check";

grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method = kFind) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  Watched<std::optional<grpc::Status>> outcome;
  stub.UnaryCall(&context, method, {}, &request, &response,
                 [&](grpc::Status status) { outcome.Update([&](auto& slot) { slot = std::move(status); }); });
  EXPECT_TRUE(outcome.WaitFor([](const auto& slot) { return slot.has_value(); }));
  return *outcome.Get();
}

// The copies of an identity, and what gRPC makes of them.
struct Party {
  Party(const TestAuthority& authority, const std::string& names) : Party(authority.Identity(names)) {}
  explicit Party(const tls::IdentityPem& pem) : copy(tls::PrivateIdentity::Make().value()) {
    EXPECT_TRUE(copy.Publish(pem).ok());
    identity = std::make_unique<TlsIdentity>(copy.files());
  }

  tls::PrivateIdentity copy;
  std::unique_ptr<TlsIdentity> identity;
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    server_.service.on_find = [](const std::shared_ptr<FindCall>& call) { call->Finish(); };
    server_.Start();
  }

  HostOptions Options() const {
    HostOptions options;
    options.health_listen = "127.0.0.1:0";
    options.credentials = rider_.identity->Server(tls::NameList({"spiffe://hail/edge"}));
    options.internal_credentials = rider_.identity->Server(tls::NameList({"spiffe://hail/driver-service", "operator"}));
    return options;
  }
  // A call to the internal listener by `party`, which expects `server`.
  grpc::Status CallAs(const Party& party, const std::string& server = "spiffe://hail/rider-service") const {
    return Call(MakeChannel(server_.address(), {}, party.identity->Channel(tls::NameList({server}))));
  }
  std::string public_address() const { return "127.0.0.1:" + std::to_string(server_.host.port()); }

  const TestAuthority authority_;
  Party rider_{authority_, "URI:spiffe://hail/rider-service,DNS:rider-service"};
  Party driver_{authority_, "URI:spiffe://hail/driver-service,DNS:driver-service"};
  TestServer server_{{}, Options()};
};

TEST_F(TlsTest, APeerOnTheListIsServed) {
  EXPECT_TRUE(CallAs(driver_).ok());
  EXPECT_TRUE(CallAs(driver_, "rider-service").ok());
  EXPECT_TRUE(CallAs(Party(authority_, "DNS:operator")).ok());
  EXPECT_TRUE(CallAs(Party(authority_, "DNS:another,DNS:Operator")).ok());
}

TEST_F(TlsTest, APeerThatIsNotOnTheListIsServedNothing) {
  for (const char* names : {"URI:spiffe://hail/edge", "URI:spiffe://evil/driver-service", "DNS:driver-service",
                            "DNS:*.hail,DNS:operators", "URI:spiffe://hail/driver-service/x"}) {
    const Party stranger(authority_, names);
    EXPECT_EQ(CallAs(stranger).error_code(), grpc::StatusCode::UNAVAILABLE) << names;
  }
  // A common name counts for nothing.
  const auto by_name = authority_.Sign({.common_name = "operator", .names = "DNS:nobody"});
  EXPECT_EQ(CallAs(Party({by_name.certificate(), by_name.key(), authority_.ca()})).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, AnAuthorityOfOnesOwnIsNone) {
  tls::IdentityPem forged = TestAuthority("forger").Identity("URI:spiffe://hail/driver-service");
  forged.ca = authority_.ca();
  EXPECT_EQ(CallAs(Party(forged)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, TheRightNameAtTheWrongListenerIsServedNothing) {
  const auto channel = [&](const Party& party) {
    return MakeChannel(public_address(), {}, party.identity->Channel(tls::NameList({"rider-service"})));
  };
  EXPECT_EQ(Call(channel(driver_), kHealth).error_code(), grpc::StatusCode::UNAVAILABLE);
  const Party edge(authority_, "URI:spiffe://hail/edge");
  EXPECT_TRUE(Call(channel(edge), kHealth).ok());
  EXPECT_EQ(CallAs(edge).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, AClientChecksWhomItCalls) {
  for (const char* server : {"spiffe://hail/driver-service", "spiffe://hail/rider-servic", "127.0.0.1"}) {
    EXPECT_EQ(CallAs(driver_, server).error_code(), grpc::StatusCode::UNAVAILABLE) << server;
  }
  tls::IdentityPem trusts_another = authority_.Identity("URI:spiffe://hail/driver-service");
  trusts_another.ca = TestAuthority("another").ca();
  EXPECT_EQ(CallAs(Party(trusts_another)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, PlaintextIsServedHealthAloneAndOnItsOwnAddress) {
  EXPECT_EQ(Call(MakeChannel(server_.address())).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(MakeChannel(public_address()), kHealth).error_code(), grpc::StatusCode::UNAVAILABLE);
  const std::string health = "127.0.0.1:" + std::to_string(server_.host.health_port());
  EXPECT_TRUE(Call(MakeChannel(health), kHealth).ok());
  EXPECT_EQ(Call(MakeChannel(health)).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(TlsTest, NewConnectionsUseNewFilesAndOldOnesStay) {
  const auto old_connection =
      MakeChannel(server_.address(), {}, driver_.identity->Channel(tls::NameList({"rider-service"})));
  ASSERT_TRUE(Call(old_connection).ok());
  // Another authority altogether: who trusts the old one alone is let in no more.
  const TestAuthority next("next");
  ASSERT_TRUE(rider_.copy.Publish(next.Identity("DNS:rider-service")).ok());
  const Party next_driver(next, "URI:spiffe://hail/driver-service");
  const absl::Time limit = absl::Now() + kPatience;
  while (!CallAs(next_driver, "rider-service").ok() && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(50));
  EXPECT_TRUE(CallAs(next_driver, "rider-service").ok());
  EXPECT_EQ(CallAs(driver_, "rider-service").error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Call(old_connection).ok());
}

TEST_F(TlsTest, AToolShowsItsFilesAndChecksTheName) {
  const hail::testing::TempDirectory folder;
  const tls::IdentityPem tool = authority_.Identity("DNS:operator");
  ChannelTls tls{.ca = folder.Write("ca", tool.ca),
                 .certificate = folder.Write("crt", tool.certificate),
                 .key = folder.Write("key", tool.key),
                 .server_name = "spiffe://hail/rider-service"};
  const auto call = [&] { return Call(MakeChannel(server_.address(), {}, MakeChannelCredentials(tls).value())); };
  EXPECT_TRUE(call().ok());
  tls.server_name = "rider-service";
  EXPECT_TRUE(call().ok());
  tls.server_name = "driver-service, spiffe://hail/rider-service";
  EXPECT_TRUE(call().ok());
  tls.server_name = "driver-service";
  EXPECT_EQ(call().error_code(), grpc::StatusCode::UNAVAILABLE);
  // Without a name, that of the address, which this certificate does not have.
  tls.server_name = "";
  EXPECT_EQ(call().error_code(), grpc::StatusCode::UNAVAILABLE);
  tls.certificate = tls.key = "";
  tls.server_name = "rider-service";
  EXPECT_EQ(call().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(ChannelCredentialsTest, WhatIsWrongIsListed) {
  EXPECT_TRUE(MakeChannelCredentials({}).ok());
  const auto fault = [](const ChannelTls& tls) { return std::string(MakeChannelCredentials(tls).status().message()); };
  EXPECT_THAT(fault({.server_name = "x"}), HasSubstr("--tls-ca"));
  EXPECT_THAT(fault({.ca = "/none/ca", .key = "/none/key", .server_name = "*.hail"}),
              ::testing::AllOf(HasSubstr("a certificate needs its key"), HasSubstr("/none/ca: cannot be read: No such"),
                               HasSubstr("/none/key"), HasSubstr("wildcard")));
}

// The names that calls bring along, by which the internal listener knows who calls.
TEST_F(TlsTest, TheNamesOfAPeerAreInTheContextOfItsConnection) {
  class Reads final : public grpc::CallbackGenericService {
   public:
    grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
      names.Update([&](auto& slot) { slot = PeerNamesOf(*context->auth_context()); });
      class Refuses final : public grpc::ServerGenericBidiReactor {
       public:
        Refuses() { Finish(grpc::Status(grpc::StatusCode::ABORTED, "read")); }
        void OnDone() override { delete this; }
      };
      return new Refuses;
    }
    Watched<std::optional<tls::PeerNames>> names;
  };
  Reads reads;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", rider_.identity->Server(tls::NameList({"driver-service"})), &port);
  builder.RegisterCallbackGenericService(&reads);
  const auto server = builder.BuildAndStart();
  const grpc::Status status = Call(MakeChannel("127.0.0.1:" + std::to_string(port), {},
                                               driver_.identity->Channel(tls::NameList({"rider-service"}))));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED) << status.error_message();
  ASSERT_TRUE(reads.names.Get());
  EXPECT_THAT(reads.names.Get()->uris, ElementsAre("spiffe://hail/driver-service"));
  EXPECT_THAT(reads.names.Get()->dns, ElementsAre("driver-service"));
  server->Shutdown();
}

}  // namespace
}  // namespace hail::rpc
