#include "common/bus/nats_bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/bus/request_reply.h"
#include "common/exec/loop.h"
#include "tests/engines/nats_server.h"
#include "tests/unit/common/tls/certificates.h"
#include "tests/unit/temp_file.h"

namespace hail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(30);

// The messages that one subscriber received.
class Received {
 public:
  Received(Bus& bus, const std::string& topic)
      : subscription_(bus.Subscribe(topic, [this](const BusPayload& payload) {
          absl::MutexLock lock(&mutex_);
          texts_.push_back(*payload);
        })) {}

  // Waits until `text` has arrived.
  bool Await(const std::string& text) {
    absl::MutexLock lock(&mutex_);
    const auto came = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return std::find(texts_.begin(), texts_.end(), text) != texts_.end();
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&came), kPatience);
  }
  std::vector<std::string> texts() const {
    absl::MutexLock lock(&mutex_);
    return texts_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> texts_ ABSL_GUARDED_BY(mutex_);
  // Last: its callback uses the members above.
  const std::unique_ptr<Bus::Subscription> subscription_;
};

// Waits until the bus is connected, or is not.
bool AwaitConnected(const NatsBus& bus, bool connected = true) {
  const absl::Time limit = absl::Now() + kPatience;
  while (bus.stats().connected != connected) {
    if (absl::Now() > limit) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

void Say(Bus& bus, const std::string& topic, const std::string& text) {
  bus.Publish(topic, std::make_shared<const std::string>(text));
}

// Waits until `from` reaches `to`: an open connection may not have sent its subscriptions yet.
void Join(Bus& from, Bus& to) {
  Received joined(to, "joined");
  const absl::Time limit = absl::Now() + kPatience;
  while (joined.texts().empty()) {
    ASSERT_LT(absl::Now(), limit) << "no way between the replicas";
    Say(from, "joined", "");
    absl::SleepFor(absl::Milliseconds(5));
  }
}

class NatsBusTest : public ::testing::Test {
 protected:
  std::unique_ptr<NatsBus> Replica(const std::string& prefix = "hail.test", std::size_t max_queue = 10'000) const {
    auto bus = MakeNatsBus({.url = server_.url(), .prefix = prefix, .name = "test", .max_queue = max_queue});
    EXPECT_TRUE(bus.ok()) << bus.status();
    return *std::move(bus);
  }

  testing::NatsServer server_;
};

TEST_F(NatsBusTest, ReplicasHearEachOtherOnceAndInOrder) {
  server_.Start();
  const auto one = Replica(), two = Replica();
  Join(*one, *two);
  Received here(*one, "ride.1"), there(*two, "ride.1"), elsewhere(*two, "ride.11");
  const std::string bytes("\0\xff,", 3);
  for (const std::string& text : {std::string("a"), bytes, std::string(), std::string("end")})
    Say(*one, "ride.1", text);
  EXPECT_THAT(here.texts(), ElementsAre("a", bytes, "", "end")) << "before Publish returns";
  ASSERT_TRUE(there.Await("end"));
  EXPECT_THAT(there.texts(), ElementsAre("a", bytes, "", "end"));
  EXPECT_THAT(elsewhere.texts(), IsEmpty());
  // The server does not send a message back to its sender.
  Say(*two, "ride.1", "answer");
  ASSERT_TRUE(here.Await("answer"));
  EXPECT_THAT(here.texts(), ElementsAre("a", bytes, "", "end", "answer"));
}

TEST_F(NatsBusTest, AnotherServicesMessagesAreNotHeard) {
  server_.Start();
  const auto one = Replica("hail.test"), other = Replica("hail.tested"), same = Replica("hail.test");
  Join(*one, *same);
  ASSERT_TRUE(AwaitConnected(*other));
  Received there(*other, "ride.1"), here(*same, "ride.1");
  Say(*one, "ride.1", "mine");
  ASSERT_TRUE(here.Await("mine"));
  EXPECT_THAT(there.texts(), IsEmpty());
}

TEST_F(NatsBusTest, NothingIsHeardAfterASubscriptionEnds) {
  server_.Start();
  const auto one = Replica(), two = Replica();
  Join(*one, *two);
  auto ended = std::make_unique<Received>(*two, "ride.1");
  Received other(*two, "ride.1");
  Say(*one, "ride.1", "a");
  ASSERT_TRUE(ended->Await("a"));
  ended.reset();
  Say(*one, "ride.1", "b");
  EXPECT_TRUE(other.Await("b"));
}

TEST_F(NatsBusTest, WithoutAServerAReplicaHearsItselfAndLaterTheOthers) {
  const auto one = Replica(), two = Replica();
  Received here(*one, "ride.1"), there(*two, "ride.1");
  Say(*one, "ride.1", "alone");
  EXPECT_THAT(here.texts(), ElementsAre("alone"));
  EXPECT_FALSE(one->stats().connected);
  EXPECT_EQ(one->stats().lost, 1u) << "to the others";
  server_.Start();
  Join(*one, *two);
  Say(*one, "ride.1", "together");
  EXPECT_TRUE(there.Await("together"));
  EXPECT_THAT(there.texts(), ElementsAre("together"));
}

TEST_F(NatsBusTest, AServerThatCameBackIsUsedAgain) {
  server_.Start();
  const auto one = Replica(), two = Replica();
  Join(*one, *two);
  server_.Kill();
  ASSERT_TRUE(AwaitConnected(*one, false));
  Received here(*one, "ride.1"), there(*two, "ride.1");
  for (int i = 0; i < 1000; ++i) Say(*one, "ride.1", std::to_string(i));
  EXPECT_EQ(here.texts().size(), 1000u);
  server_.Start();
  Join(*one, *two);
  Say(*one, "ride.1", "back");
  EXPECT_TRUE(there.Await("back"));
  EXPECT_THAT(there.texts(), ElementsAre("back")) << "late hints are dropped";
}

TEST_F(NatsBusTest, ASlowSubscriberHoldsUpNobodyElse) {
  server_.Start();
  const auto one = Replica(), two = Replica("hail.test", 100);
  Join(*one, *two);
  absl::Notification held, go_on;
  const auto slow = two->Subscribe("ride.1", [&](const BusPayload&) {
    if (!held.HasBeenNotified()) held.Notify();
    go_on.WaitForNotification();
  });
  Received here(*one, "ride.1");
  Say(*one, "ride.1", "first");
  held.WaitForNotification();
  for (int i = 0; i < 5000; ++i) Say(*one, "ride.1", "more");
  EXPECT_EQ(here.texts().size(), 5001u);
  const absl::Time limit = absl::Now() + kPatience;
  while (two->stats().lost == 0 && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_GT(two->stats().lost, 0u) << "what it did not take is counted";
  go_on.Notify();
}

TEST_F(NatsBusTest, OneReplicaIsAskedAndAnswers) {
  server_.Start();
  const auto one = Replica(), two = Replica(), three = Replica();
  Join(*one, *two);
  Join(*two, *one);
  Join(*one, *three);
  Loop loop("test");
  const auto answer_as = [](const std::string& name) {
    return [name](std::string_view request, const RequestServer::Reply& reply) {
      reply(name + ":" + std::string(request));
    };
  };
  const RequestServer second(two.get(), "second", answer_as("second")), third(three.get(), "third", answer_as("third"));
  RequestClient asker(one.get(), &loop, "first");
  const auto ask = [&](const std::string& server_name, absl::Duration time_out) {
    absl::StatusOr<std::string> result;
    absl::Notification answered;
    asker.Ask(server_name, std::string("\0?", 2), time_out, [&](absl::StatusOr<std::string> answer) {
      result = std::move(answer);
      answered.Notify();
    });
    answered.WaitForNotification();
    return result;
  };
  EXPECT_EQ(*ask("second", kPatience), std::string("second:\0?", 9));
  EXPECT_EQ(*ask("third", kPatience), std::string("third:\0?", 8));
  EXPECT_EQ(ask("nobody", absl::Milliseconds(50)).status().code(), absl::StatusCode::kUnavailable);
  loop.Stop();
}

TEST(NatsUrlTest, WhatIsNoUrlIsRefused) {
  EXPECT_TRUE(IsNatsUrl("nats://127.0.0.1:4222"));
  EXPECT_TRUE(IsNatsUrl("tls://nats.example:4222"));
  for (const std::string bad : {"local:", "nats:", "http://127.0.0.1", ""}) EXPECT_FALSE(IsNatsUrl(bad)) << bad;
  EXPECT_FALSE(MakeNatsBus({.url = "nats://127.0.0.1:no-port", .prefix = "hail.test", .name = "test"}).ok());
}

// deploy/nats.conf, with certificates of this test.
class NatsTlsTest : public ::testing::Test {
 protected:
  NatsTlsTest() {
    Write("nats", authority_.Identity("IP:127.0.0.1,DNS:localhost"));
    for (const char* name : {"rider-service", "driver-service", "stranger"}) {
      Write(name, authority_.Identity(std::string("URI:spiffe://hail/") + name + ",DNS:" + name));
    }
    Write("elsewhere", authority_.Identity("DNS:elsewhere"));
  }
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "OpenSSL's locks are invisible to the sanitizer: it takes each handshake for a race";
#endif
  }

  void Write(const std::string& name, const tls::IdentityPem& pem) {
    folder_.Write(name + ".crt", pem.certificate);
    folder_.Write(name + ".key", pem.key);
    folder_.Write("ca.crt", pem.ca);
  }
  // `certificate`: what the server shows.
  std::unique_ptr<testing::NatsServer> Serve(const std::string& certificate = "nats") const {
    std::ifstream in(HAIL_SOURCE_DIR "/deploy/nats.conf");
    std::stringstream text;
    text << in.rdbuf();
    auto server = std::make_unique<testing::NatsServer>(
        absl::StrReplaceAll(text.str(), {{"port: 4222", ""},
                                         {"/etc/hail/nats/nats", folder_.path(certificate)},
                                         {"/etc/hail/nats", folder_.path("")}}));
    server->Start();
    return server;
  }
  // Connects as `name`. An error if the server refuses that name at once.
  absl::StatusOr<std::unique_ptr<NatsBus>> TryAs(const std::string& name, const testing::NatsServer& server,
                                                 const std::string& prefix) const {
    return MakeNatsBus({.url = "tls://" + server.address(),
                        .files = {.ca = folder_.path("ca.crt"),
                                  .certificate = folder_.path(name + ".crt"),
                                  .key = folder_.path(name + ".key")},
                        .prefix = prefix,
                        .name = name});
  }
  std::unique_ptr<NatsBus> As(const std::string& name, const testing::NatsServer& server,
                              const std::string& prefix) const {
    auto bus = TryAs(name, server, prefix);
    EXPECT_TRUE(bus.ok()) << bus.status();
    return *std::move(bus);
  }

  static void AwaitLog(const testing::NatsServer& server, const std::string& line) {
    const absl::Time limit = absl::Now() + kPatience;
    while (server.log().find(line) == std::string::npos && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(10));
    EXPECT_THAT(server.log(), ::testing::HasSubstr(line));
  }

  const testing::TempDirectory folder_;
  const testing::TestAuthority authority_;
};

TEST_F(NatsTlsTest, AServiceHasItsOwnSubjectsAlone) {
  const auto server = Serve();
  const auto one = As("rider-service", *server, "hail.rider"), two = As("rider-service", *server, "hail.rider");
  ASSERT_TRUE(AwaitConnected(*one) && AwaitConnected(*two)) << server->log();
  Join(*one, *two);
  const auto driver = As("driver-service", *server, "hail.driver"),
             other = As("driver-service", *server, "hail.driver");
  Join(*driver, *other);
  // With rider-service's certificate among driver-service's subjects: nothing passes either way.
  Received asks(*driver, "ask.1");
  // If the server refuses its subscription before the library has set that up, there is no bus: the next try may have
  // one.
  auto made = TryAs("rider-service", *server, "hail.driver");
  for (int tries = 1; !made.ok() && tries < 50; ++tries) made = TryAs("rider-service", *server, "hail.driver");
  ASSERT_TRUE(made.ok()) << made.status();
  const auto intruder = *std::move(made);
  ASSERT_TRUE(AwaitConnected(*intruder));
  Received seen(*intruder, "ask.1");
  Say(*intruder, "ask.1", "forged");
  Say(*other, "ask.1", "genuine");
  EXPECT_TRUE(asks.Await("genuine"));
  // What the intruder says comes back to itself alone.
  EXPECT_TRUE(seen.Await("forged"));
  Join(*other, *driver);
  EXPECT_THAT(asks.texts(), ElementsAre("genuine"));
  EXPECT_THAT(seen.texts(), ElementsAre("forged"));
}

TEST_F(NatsTlsTest, StrangersAreNotConnected) {
  const auto server = Serve();
  const auto good = As("rider-service", *server, "hail.rider");
  const auto stranger = TryAs("stranger", *server, "hail.rider");
  const auto plain = MakeNatsBus({.url = server->url(), .prefix = "hail.rider", .name = "plain"});
  const auto nameless = MakeNatsBus({.url = "tls://" + server->address(),
                                     .files = {.ca = folder_.path("ca.crt")},
                                     .prefix = "hail.rider",
                                     .name = "nameless"});
  ASSERT_TRUE(AwaitConnected(*good));
  // Until the server has refused each: two in the handshake, one by its name.
  AwaitLog(*server, "authentication error");
  AwaitLog(*server, "TLS handshake error");
  EXPECT_FALSE(stranger.ok() && (*stranger)->stats().connected);
  EXPECT_FALSE(plain.ok() && (*plain)->stats().connected);
  EXPECT_FALSE(nameless.ok() && (*nameless)->stats().connected);
}

TEST_F(NatsTlsTest, TheServerMustBeTheOneOfTheUrl) {
  const auto elsewhere = Serve("elsewhere");
  const auto bus = TryAs("rider-service", *elsewhere, "hail.rider");
  AwaitLog(*elsewhere, "TLS handshake error");
  EXPECT_FALSE(bus.ok() && (*bus)->stats().connected);
}

TEST(NatsFilesTest, FilesThatCannotBeUsedAreNamed) {
  const auto bus =
      MakeNatsBus({.url = "tls://127.0.0.1:1", .files = {.ca = "/none/ca.crt"}, .prefix = "x", .name = "y"});
  ASSERT_FALSE(bus.ok());
  EXPECT_THAT(std::string(bus.status().message()), ::testing::HasSubstr("/none/ca.crt"));
}

}  // namespace
}  // namespace hail
