#include "common/bus/bus.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace hail {
namespace {

BusPayload Payload(const std::string& text) { return std::make_shared<const std::string>(text); }

TEST(TopicWordTest, LeavesPlainIdsAndEscapesTheRest) {
  EXPECT_EQ(TopicWord("Rider_1-z"), "Rider_1-z");
  EXPECT_EQ(TopicWord("a.b*>c %\xC3\xBC"), "a%2Eb%2A%3Ec%20%25%C3%BC");
  EXPECT_EQ(TopicWord(std::string("\0", 1)), "%00");
  EXPECT_EQ(TopicWord(""), "");
  EXPECT_NE(TopicWord("a.b"), TopicWord("a%2Eb"));
}

TEST(TopicWordTest, IsToldFromWhatIsNone) {
  for (const char* word : {"Rider_1-z", "a%2Eb"}) EXPECT_TRUE(IsTopicWord(word));
  for (const char* other : {"", "a.b", "a b", "a\n", "*", ">"}) EXPECT_FALSE(IsTopicWord(other)) << other;
}

TEST(LocalBusTest, DeliversToEverySubscriberOfTheTopicBeforePublishReturns) {
  const auto bus = MakeLocalBus();
  std::vector<std::string> first, second, other;
  const auto a = bus->Subscribe("ride.1", [&](const BusPayload& payload) { first.push_back(*payload); });
  const auto b = bus->Subscribe("ride.1", [&](const BusPayload& payload) { second.push_back(*payload); });
  const auto c = bus->Subscribe("ride.11", [&](const BusPayload& payload) { other.push_back(*payload); });
  bus->Publish("ride.1", Payload("x"));
  bus->Publish("ride.1", Payload("y"));
  bus->Publish("ride", Payload("nobody"));
  EXPECT_EQ(first, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(second, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(other.empty());
}

TEST(LocalBusTest, SharesOnePayload) {
  const auto bus = MakeLocalBus();
  const BusPayload sent = Payload("x");
  BusPayload got;
  const auto subscription = bus->Subscribe("t", [&](const BusPayload& payload) { got = payload; });
  bus->Publish("t", sent);
  EXPECT_EQ(got.get(), sent.get());
}

TEST(LocalBusTest, DeliversNothingAfterTheSubscriptionEnds) {
  const auto bus = MakeLocalBus();
  int first = 0;
  int second = 0;
  auto a = bus->Subscribe("t", [&](const BusPayload&) { ++first; });
  auto b = bus->Subscribe("t", [&](const BusPayload&) { ++second; });
  bus->Publish("t", Payload(""));
  a.reset();
  bus->Publish("t", Payload(""));
  b.reset();
  bus->Publish("t", Payload(""));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  auto c = bus->Subscribe("t", [&](const BusPayload&) { ++first; });
  bus->Publish("t", Payload(""));
  EXPECT_EQ(first, 2);
}

TEST(LocalBusTest, CallbacksMaySubscribePublishAndEndOthers) {
  const auto bus = MakeLocalBus();
  std::vector<std::string> seen;
  std::unique_ptr<Bus::Subscription> added, victim;
  const auto first = bus->Subscribe("t", [&](const BusPayload& payload) {
    seen.push_back("first " + *payload);
    if (added) return;
    victim.reset();
    added = bus->Subscribe("t", [&](const BusPayload& late) { seen.push_back("added " + *late); });
    bus->Publish("t", Payload("inner"));
  });
  // Subscribed after `first`, so not yet called when `first` ends it.
  victim = bus->Subscribe("t", [&](const BusPayload&) { seen.push_back("victim"); });
  bus->Publish("t", Payload("outer"));
  EXPECT_EQ(seen, (std::vector<std::string>{"first outer", "first inner", "added inner"}));
}

TEST(LocalBusTest, SubscriptionsMayOutliveTheBus) {
  auto bus = MakeLocalBus();
  auto subscription = bus->Subscribe("t", [](const BusPayload&) {});
  bus.reset();
  subscription.reset();
}

TEST(LocalBusTest, EndingWaitsForACallbackOnAnotherThread) {
  const auto bus = MakeLocalBus();
  absl::Notification inside, go;
  std::atomic<bool> finished{false};
  auto subscription = bus->Subscribe("t", [&](const BusPayload&) {
    inside.Notify();
    go.WaitForNotification();
    finished = true;
  });
  std::thread publisher([&] { bus->Publish("t", Payload("")); });
  inside.WaitForNotification();
  absl::Notification ended;
  bool finished_when_ended = false;
  std::thread ender([&] {
    subscription.reset();
    finished_when_ended = finished;
    ended.Notify();
  });
  // Neither the slow callback nor the thread that waits for it holds up other subscribers.
  int delivered = 0;
  const auto neighbour = bus->Subscribe("u", [&](const BusPayload&) { ++delivered; });
  bus->Publish("u", Payload(""));
  EXPECT_EQ(delivered, 1);
  EXPECT_FALSE(ended.HasBeenNotified());
  go.Notify();
  publisher.join();
  ender.join();
  EXPECT_TRUE(finished_when_ended);
}

TEST(LocalBusTest, MissesNothingPublishedAfterSubscribingWhileOthersComeAndGo) {
  constexpr int kMessages = 2000;
  const auto bus = MakeLocalBus();
  std::atomic<bool> over{false};
  std::vector<std::thread> churn;
  for (int t = 0; t < 2; ++t) {
    churn.emplace_back([&] {
      while (!over) {
        // Freed in each round: the sanitizers report a callback after the subscription ended.
        auto count = std::make_unique<int>(0);
        absl::Mutex mutex;
        auto subscription = bus->Subscribe("t", [&mutex, own = count.get()](const BusPayload&) {
          absl::MutexLock lock(&mutex);
          ++*own;
        });
        subscription.reset();
        count.reset();
      }
    });
  }
  std::atomic<int> got{0};
  const auto steady = bus->Subscribe("t", [&](const BusPayload&) { ++got; });
  std::vector<std::thread> publishers;
  for (int t = 0; t < 2; ++t) {
    publishers.emplace_back([&] {
      for (int i = 0; i < kMessages; ++i) bus->Publish("t", Payload("x"));
    });
  }
  for (std::thread& thread : publishers) thread.join();
  over = true;
  for (std::thread& thread : churn) thread.join();
  EXPECT_EQ(got, 2 * kMessages);
}

}  // namespace
}  // namespace hail
