#include "common/bus/request_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/stepped_executor.h"

namespace hail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RequestReplyTest : public ::testing::Test {
 protected:
  RequestClient::Done Note() {
    return [this](absl::StatusOr<std::string> answer) {
      heard_.push_back(answer.ok() ? *answer : std::string(answer.status().message()));
    };
  }
  void Ask(const std::string& whom, const std::string& request) {
    request_client_->Ask(whom, request, absl::Milliseconds(500), Note());
  }
  // Runs all tasks, moving the clock to each.
  void Pass() {
    while (executor_.RunNext()) {
    }
  }

  FakeClock clock_;
  SteppedExecutor executor_{&clock_};
  const std::unique_ptr<Bus> bus_ = MakeLocalBus();
  std::unique_ptr<RequestClient> request_client_ = std::make_unique<RequestClient>(bus_.get(), &executor_, "one.a");
  std::vector<std::string> heard_;
};

TEST_F(RequestReplyTest, TheAnswerIsTheAskedOnes) {
  const auto echo = [](const std::string& name) {
    return [name](std::string_view request, const RequestServer::Reply& reply) {
      reply(name + ":" + std::string(request));
    };
  };
  const RequestServer two(bus_.get(), "two", echo("two"));
  const RequestServer three(bus_.get(), "three", echo("three"));
  const std::string bytes("\n\0 \xff", 4);
  Ask("two", bytes);
  Ask("three", "");
  EXPECT_THAT(heard_, ElementsAre("two:" + bytes, "three:"));
  Pass();
  EXPECT_EQ(heard_.size(), 2u) << "the time-outs come later and change nothing";
}

TEST_F(RequestReplyTest, AnswersMayComeInAnyOrderAndOnlyTheFirstCounts) {
  std::vector<std::pair<std::string, RequestServer::Reply>> asked;
  const RequestServer two(bus_.get(), "two", [&](std::string_view request, RequestServer::Reply reply) {
    asked.emplace_back(request, std::move(reply));
  });
  Ask("two", "first");
  Ask("two", "second");
  ASSERT_EQ(asked.size(), 2u);
  asked[1].second("to the second");
  asked[0].second("to the first");
  asked[0].second("once more");
  EXPECT_THAT(heard_, ElementsAre("to the second", "to the first"));
}

TEST_F(RequestReplyTest, ALateAnswerIsNone) {
  RequestServer::Reply reply;
  const RequestServer two(bus_.get(), "two",
                          [&](std::string_view, RequestServer::Reply given) { reply = std::move(given); });
  Ask("two", "");
  EXPECT_THAT(heard_, IsEmpty());
  const absl::Time before = clock_.Read().wall;
  Pass();
  EXPECT_THAT(heard_, ElementsAre("no answer in time"));
  EXPECT_EQ(clock_.Read().wall - before, absl::Milliseconds(500));
  reply("late");
  EXPECT_EQ(heard_.size(), 1u);
}

TEST_F(RequestReplyTest, NobodyToAskIsSaidAtOnce) {
  Ask("two", "");
  EXPECT_EQ(heard_.size(), 1u);
  auto two = std::make_unique<RequestServer>(bus_.get(), "two", [](std::string_view, const RequestServer::Reply&) {});
  two.reset();
  Ask("two", "");
  EXPECT_EQ(heard_.size(), 2u);
}

TEST_F(RequestReplyTest, AnAskerThatIsGoneHearsNothing) {
  RequestServer::Reply reply;
  const RequestServer two(bus_.get(), "two",
                          [&](std::string_view, RequestServer::Reply given) { reply = std::move(given); });
  Ask("two", "");
  request_client_.reset();
  reply("late");
  Pass();
  EXPECT_THAT(heard_, IsEmpty());
}

TEST_F(RequestReplyTest, WhatIsNoRequestAndNoReplyIsLeftOut) {
  int requests = 0;
  const RequestServer two(bus_.get(), "two", [&](std::string_view, const RequestServer::Reply&) { ++requests; });
  for (const char* bad : {"", "1", "1\n", "1 one", "\n\n", "1 \nbody", "1 one 0\r\nbody", "1 a.b\nbody"}) {
    bus_->Publish("ask.two", std::make_shared<const std::string>(bad));
    bus_->Publish("reply.one%2Ea", std::make_shared<const std::string>(bad));
  }
  EXPECT_EQ(requests, 0);
  EXPECT_THAT(heard_, IsEmpty());
}

}  // namespace
}  // namespace hail
