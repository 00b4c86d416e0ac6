#include "common/rpc/client_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/exec/loop.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

using Link = ReconnectingStream<v1::WatchDriversRequest, v1::WatchDriversResponse>;
using Writer = ReconnectingWriter<v1::ReportLocationsRequest, v1::ReportLocationsResponse>;

// The calls that a link's handlers got: "up 1", "message 7", "down".
using Events = Watched<std::vector<std::string>>;

bool WaitFor(Events& events, const std::string& event, absl::Duration at_most = kPatience) {
  return events.WaitFor([&](const auto& list) { return std::find(list.begin(), list.end(), event) != list.end(); },
                        at_most);
}

class ClientStreamTest : public ::testing::Test {
 protected:
  std::unique_ptr<TestServer> MakeServer(const std::string& address = "127.0.0.1:0") {
    auto server = std::make_unique<TestServer>(GateOptions{}, HostOptions{.internal_listen = address});
    server->service.on_watch = [this](WatchSession& session, std::shared_ptr<WatchStreamWriter> writer) {
      writers_.Update([&](auto& list) { list.push_back(writer); });
      session.on_message = [this](const v1::WatchDriversRequest& message) {
        heard_.Update([&](auto& list) {
          list.push_back(message.has_heartbeat() ? "heartbeat" : message.subscribe().driver_id());
        });
      };
    };
    server->service.on_report = [this](ReportSession& session, const std::shared_ptr<StreamWriterBase>&) {
      session.on_message = [this](const v1::ReportLocationsRequest& message) {
        heard_.Update([&](auto& list) {
          list.push_back(message.locations_size() > 0 ? message.locations(0).driver_id() : "heartbeat");
        });
      };
    };
    server->Start();
    return server;
  }
  std::unique_ptr<Link> MakeLink(const std::string& address, const LinkOptions& options = {}) {
    stub_ = v1::AssignmentService::NewStub(MakeChannel(address));
    Link::Handlers handlers{
        .on_up =
            [this](std::uint64_t link) {
              link_.Update([&](auto& n) { n = link; });
              Tell("up " + std::to_string(link));
            },
        .on_message =
            [this](const v1::WatchDriversResponse& message) {
              Tell("message " + std::to_string(message.heartbeat().sequence()));
            },
        .on_down = [this](const absl::Status&) { Tell("down"); },
        .heartbeat =
            [] {
              v1::WatchDriversRequest beat;
              beat.mutable_heartbeat();
              return beat;
            },
    };
    return std::make_unique<Link>(
        &loop_, &clock_, [this](auto* context, auto* reactor) { stub_->async()->WatchDrivers(context, reactor); },
        std::move(handlers), options);
  }
  void Tell(const std::string& event) {
    EXPECT_TRUE(loop_.OnLoop());
    events_.Update([&](auto& list) { list.push_back(event); });
  }
  std::shared_ptr<WatchStreamWriter> Opened(std::size_t index = 0) {
    EXPECT_TRUE(writers_.WaitFor([&](const auto& list) { return list.size() > index; }));
    return writers_.Get().at(index);
  }

  FakeClock clock_;
  Events events_;
  Events heard_;
  Watched<std::uint64_t> link_;
  Watched<std::vector<std::shared_ptr<WatchStreamWriter>>> writers_;
  std::unique_ptr<v1::AssignmentService::Stub> stub_;
  Loop loop_{"test"};
};

TEST_F(ClientStreamTest, ComesUpHearsAndSpeaks) {
  auto server = MakeServer();
  auto link = MakeLink(server->address());
  EXPECT_FALSE(link->Send(1, Subscribe("too early")));
  link->Start();
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  EXPECT_TRUE(link->up());
  for (int i = 0; i < 100; ++i) Opened()->Send(Numbered(i));
  ASSERT_TRUE(WaitFor(events_, "message 99"));
  std::vector<std::string> expected = {"up 1"};
  for (int i = 0; i < 100; ++i) expected.push_back("message " + std::to_string(i));
  EXPECT_EQ(events_.Get(), expected);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(link->Send(1, Subscribe(std::to_string(i))));
  ASSERT_TRUE(WaitFor(heard_, "99"));
  EXPECT_EQ(heard_.Get().size(), 100u);
  link->Stop();
  EXPECT_FALSE(link->Send(1, Subscribe("too late")));
  EXPECT_EQ(events_.Get(), expected);
}

TEST_F(ClientStreamTest, ComesBackWithinTwoSecondsOfAServersRestart) {
  auto server = MakeServer();
  const std::string address = server->address();
  auto link = MakeLink(address);
  link->Start();
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  server.reset();
  ASSERT_TRUE(WaitFor(events_, "down"));
  EXPECT_FALSE(link->up());
  // Long enough for back-off to reach its maximum.
  absl::SleepFor(absl::Seconds(3));
  const std::size_t before = events_.Get().size();
  server = MakeServer(address);
  const absl::Time began = absl::Now();
  ASSERT_TRUE(events_.WaitFor([&](const auto& list) { return list.size() > before; }));
  // 2 s of back-off and a machine under load.
  EXPECT_LT(absl::Now() - began, absl::Seconds(3));
  const std::uint64_t now = link_.Get();
  EXPECT_GT(now, 1u);
  EXPECT_FALSE(link->Send(1, Subscribe("for the old link")));
  EXPECT_TRUE(link->Send(now, Subscribe("for the new link")));
  ASSERT_TRUE(WaitFor(heard_, "for the new link"));
  EXPECT_FALSE(WaitFor(heard_, "for the old link", absl::ZeroDuration()));
  link->Stop();
}

TEST_F(ClientStreamTest, ConnectsToAServerThatStartsLater) {
  std::string address;
  {
    auto server = MakeServer();
    address = server->address();
  }
  auto link = MakeLink(address);
  link->Start();
  auto server = MakeServer(address);
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  link->Stop();
}

TEST_F(ClientStreamTest, OpensAgainWhenTheServerEndsTheStream) {
  auto server = MakeServer();
  auto link = MakeLink(server->address());
  link->Start();
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  Opened()->Send(Numbered(5));
  Opened()->Finish();
  ASSERT_TRUE(WaitFor(events_, "up 2"));
  EXPECT_EQ(events_.Get(), (std::vector<std::string>{"up 1", "message 5", "down", "up 2"}));
  link->Stop();
}

TEST_F(ClientStreamTest, ComesBackNoSoonerThanTheServerAsksFor) {
  auto server = MakeServer();
  auto link = MakeLink(server->address());
  link->Start();
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  const absl::Time began = absl::Now();
  // Far above the link's own first back-off.
  Opened()->Finish(Overloaded("too many streams", absl::Milliseconds(700)));
  ASSERT_TRUE(WaitFor(events_, "up 2"));
  EXPECT_GE(absl::Now() - began, absl::Milliseconds(700));
  link->Stop();
}

TEST_F(ClientStreamTest, BeatsAndGivesASilentServerUp) {
  auto server = MakeServer();
  auto link = MakeLink(server->address(), {.tick = absl::Milliseconds(5)});
  link->Start();
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  clock_.Advance(absl::Seconds(5));
  ASSERT_TRUE(WaitFor(heard_, "heartbeat"));
  clock_.Advance(absl::Seconds(6));
  Opened()->Send(Numbered(1));
  ASSERT_TRUE(WaitFor(events_, "message 1"));
  // 11 s of silence, counted from message 1: still below the limit.
  clock_.Advance(absl::Seconds(11));
  Opened()->Send(Numbered(2));
  ASSERT_TRUE(WaitFor(events_, "message 2"));
  EXPECT_FALSE(WaitFor(events_, "down", absl::ZeroDuration()));
  clock_.Advance(absl::Seconds(12));
  ASSERT_TRUE(WaitFor(events_, "down"));
  ASSERT_TRUE(WaitFor(events_, "up 2"));
  link->Stop();
}

TEST_F(ClientStreamTest, AFullQueueEndsTheStream) {
  auto server = MakeServer();
  Watched<bool> blocked(true);
  server->service.on_watch = [&](WatchSession& session, const std::shared_ptr<WatchStreamWriter>&) {
    // The stream reads nothing while its session blocks here, on one of several threads.
    session.on_message = [&](const v1::WatchDriversRequest&) { blocked.WaitFor([](bool value) { return !value; }); };
  };
  auto link = MakeLink(server->address(), {.queue = 10});
  link->Start();
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  int sent = 0;
  while (sent < 10'000 && link->Send(1, Subscribe(std::string(60'000, 'x')))) ++sent;
  EXPECT_LT(sent, 10'000);
  blocked.Update([](bool& value) { value = false; });
  ASSERT_TRUE(WaitFor(events_, "down"));
  link->Stop();
}

TEST_F(ClientStreamTest, StopsAtAnyMoment) {
  auto server = MakeServer();
  for (int round = 0; round < 60; ++round) {
    auto link = MakeLink(server->address());
    link->Start();
    if (round % 3 == 1) events_.WaitFor([&](const auto& list) { return !list.empty(); });
    if (round % 3 == 2) {
      events_.WaitFor([&](const auto& list) { return !list.empty(); });
      for (int i = 0; i < 10; ++i) link->Send(link_.Get(), Subscribe("d"));
    }
    link->Stop();
    const std::size_t events = events_.Get().size();
    link.reset();
    EXPECT_EQ(events_.Get().size(), events);
    events_.Update([](auto& list) { list.clear(); });
  }
  EXPECT_TRUE(server->gate.WaitIdle(kPatience));
}

TEST_F(ClientStreamTest, StopsWithoutAServer) {
  std::string address;
  {
    auto server = MakeServer();
    address = server->address();
  }
  auto link = MakeLink(address);
  link->Start();
  link->Stop();
  EXPECT_TRUE(events_.Get().empty());
}

class ClientWriterTest : public ClientStreamTest {
 protected:
  std::unique_ptr<Writer> MakeWriter(const std::string& address, const LinkOptions& options = {}) {
    stub_ = v1::AssignmentService::NewStub(MakeChannel(address));
    return std::make_unique<Writer>(
        &loop_, &clock_,
        [this](auto* context, auto* response, auto* reactor) {
          stub_->async()->ReportLocations(context, response, reactor);
        },
        Writer::Handlers{
            .on_up =
                [this](std::uint64_t link) {
                  link_.Update([&](auto& n) { n = link; });
                  Tell("up " + std::to_string(link));
                },
            .on_down = [this](const absl::Status&) { Tell("down"); },
            .heartbeat = [] { return v1::ReportLocationsRequest(); },
        },
        options);
  }
  static v1::ReportLocationsRequest Report(const std::string& driver_id) {
    v1::ReportLocationsRequest message;
    message.add_locations()->set_driver_id(driver_id);
    return message;
  }
};

TEST_F(ClientWriterTest, SpeaksAndComesBackAfterTheServerEndedIt) {
  auto server = MakeServer();
  auto writer = MakeWriter(server->address(), {.tick = absl::Milliseconds(5)});
  writer->Start();
  ASSERT_TRUE(WaitFor(events_, "up 1"));
  ASSERT_TRUE(writer->SendLatest(1, "d1", Report("d1")));
  ASSERT_TRUE(WaitFor(heard_, "d1"));
  const std::string address = server->address();
  server.reset();
  // The writer notices when it sends a heartbeat.
  clock_.Advance(absl::Seconds(5));
  ASSERT_TRUE(WaitFor(events_, "down"));
  server = MakeServer(address);
  ASSERT_TRUE(events_.WaitFor([](const auto& list) { return list.size() == 3; }));
  ASSERT_TRUE(writer->Send(link_.Get(), Report("d2")));
  ASSERT_TRUE(WaitFor(heard_, "d2"));
  // The server of a client stream sends nothing, so its silence must not end the stream.
  clock_.Advance(absl::Minutes(1));
  ASSERT_TRUE(WaitFor(heard_, "heartbeat"));
  EXPECT_EQ(events_.Get().size(), 3u);
  writer->Stop();
}

TEST_F(ClientWriterTest, StopsAtAnyMoment) {
  auto server = MakeServer();
  for (int round = 0; round < 30; ++round) {
    auto writer = MakeWriter(server->address());
    writer->Start();
    if (round % 2 == 1) {
      events_.WaitFor([&](const auto& list) { return !list.empty(); });
      writer->Send(link_.Get(), Report("d"));
    }
    writer->Stop();
    events_.Update([](auto& list) { list.clear(); });
  }
  EXPECT_TRUE(server->gate.WaitIdle(kPatience));
}

}  // namespace
}  // namespace hail::rpc
