#include "common/service/grpc_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/logging/log.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace hail {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// The lines that `say` logs.
template <typename Say>
std::vector<std::string> Logged(Say&& say) {
  std::vector<std::string> lines;
  InitLogging({.service = "test", .write = [&](std::string_view line) { lines.emplace_back(line); }});
  say();
  ShutdownLogging();
  return lines;
}

TEST(GrpcLogTest, AFloodIsCutAndCounted) {
  const std::vector<std::string> lines = Logged([] {
    GrpcLines taken(3, absl::Seconds(10));
    for (int i = 0; i < 100; ++i) taken.Take("src/core/call.cc", 7, "again", absl::Seconds(5));
    taken.Take("src/core/call.cc", 7, "later", absl::Seconds(15));
    taken.Take("call.cc", 7, "later", absl::Seconds(15));
  });
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_THAT(lines[0], AllOf(HasSubstr("\"level\":\"error\""), HasSubstr("\"at\":\"call.cc:7\""),
                              HasSubstr("\"message\":\"again\""), HasSubstr("\"left_out\":0")));
  EXPECT_THAT(lines[3], AllOf(HasSubstr("later"), HasSubstr("\"left_out\":97")));
  EXPECT_THAT(lines[4], HasSubstr("\"left_out\":0"));
}

TEST(GrpcLogTest, WhatAClientSentIsEscapedAndShort) {
  const std::vector<std::string> lines = Logged([] {
    GrpcLines(3, absl::Seconds(10))
        .Take("a.cc", 1, "x\n{\"forged\":1}\x1b[2J" + std::string(9000, 'y'), absl::Seconds(1));
  });
  EXPECT_THAT(lines, ElementsAre(AllOf(HasSubstr("x\\n{\\\"forged\\\":1}\\u001b[2J"), Not(HasSubstr("\x1b")))));
  EXPECT_LT(lines.at(0).size(), 1000u);
}

TEST(GrpcLogTest, TheHostOfAListOfReplicasIsNoError) {
  EXPECT_THAT(Logged([] {
                GrpcLines(3, absl::Seconds(10))
                    .Take("ssl.cc", 1, "No match found for server name: 127.0.0.1:1,127.0.0.1:2.", absl::Seconds(1));
              }),
              SizeIs(0));
}

TEST(GrpcLogTest, ItIsGrpcThatSpeaks) {
  const std::vector<std::string> lines = Logged([] {
    LogWhatGrpcSays();
    grpc::CallbackGenericService nothing;
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&nothing);
    // This machine does not have the address.
    builder.AddListeningPort("192.0.2.1:1", grpc::InsecureServerCredentials());
    EXPECT_EQ(builder.BuildAndStart(), nullptr);
  });
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(lines.front(), AllOf(HasSubstr("\"event\":\"grpc\""), HasSubstr("192.0.2.1")));
}

}  // namespace
}  // namespace hail
