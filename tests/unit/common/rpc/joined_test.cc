// Messages that wait for a write are sent as one; the receiver gets them one by one, in order.
#include "common/rpc/joined.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/rpc/message_queue.h"
#include "hail/internal/v1/dispatch_service.pb.h"

namespace hail::rpc {
namespace {

using hail::internal::v1::DispatchRequest;
using ::testing::ElementsAreArray;

DispatchRequest Stop(const std::string& ride_id, std::size_t length = 0) {
  DispatchRequest message;
  message.mutable_stop()->set_ride_id(ride_id + std::string(length, 'x'));
  return message;
}

// Empties the queue as a stream does. `writes` counts the messages written, `received` lists those unpacked.
struct Sent {
  int writes = 0;
  std::size_t largest = 0;
  std::vector<std::string> received;
};
Sent SendAll(MessageQueue<DispatchRequest>& queue) {
  Sent sent;
  while (std::optional<DispatchRequest> next = queue.Pop()) {
    ++sent.writes;
    sent.largest = std::max(sent.largest, next->ByteSizeLong());
    ForEachJoined(*next, [&](const DispatchRequest& each) { sent.received.push_back(each.stop().ride_id()); });
  }
  return sent;
}

TEST(JoinedTest, WaitingMessagesAreSentTogetherAndArriveInOrder) {
  MessageQueue<DispatchRequest> queue(1000);
  std::vector<std::string> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(std::to_string(i));
    ASSERT_TRUE(queue.Push(Stop(all.back())));
  }
  const Sent sent = SendAll(queue);
  EXPECT_THAT(sent.received, ElementsAreArray(all));
  EXPECT_EQ(sent.writes, (200 + kMostJoined) / (kMostJoined + 1));
}

TEST(JoinedTest, NoMessageGrowsTooLarge) {
  MessageQueue<DispatchRequest> queue(1000);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(queue.Push(Stop("", 2000)));
  const Sent sent = SendAll(queue);
  EXPECT_EQ(sent.received.size(), 50u);
  // With room for the length prefixes of the joined messages.
  EXPECT_LT(sent.largest, kJoinedBytes + 1024);
}

TEST(JoinedTest, OneThatIsLargeByItselfGoesAlone) {
  MessageQueue<DispatchRequest> queue(10);
  ASSERT_TRUE(queue.Push(Stop("large", 2 * kJoinedBytes)));
  ASSERT_TRUE(queue.Push(Stop("after")));
  EXPECT_EQ(SendAll(queue).writes, 2);
}

TEST(JoinedTest, WhatReplacesIsNotJoined) {
  MessageQueue<DispatchRequest> queue(10);
  queue.Put("heartbeat", Stop("slot"));
  ASSERT_TRUE(queue.Push(Stop("queued")));
  const Sent sent = SendAll(queue);
  EXPECT_EQ(sent.writes, 2);
  EXPECT_THAT(sent.received, ElementsAreArray({"queued", "slot"}));
}

// Runs posted tasks only in RunAll().
class ByHand final : public Executor {
 public:
  bool Post(std::function<void()> task) override {
    tasks_.push_back(std::move(task));
    return true;
  }
  bool PostAfter(absl::Duration, std::function<void()> task) override { return Post(std::move(task)); }
  void Every(absl::Duration, std::function<void()>) override {}
  std::size_t depth() const override { return tasks_.size(); }
  void RunAll() {
    while (!tasks_.empty()) {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }

 private:
  std::deque<std::function<void()>> tasks_;
};

class BatcherTest : public ::testing::Test {
 protected:
  void Say(const std::string& ride_id) {
    loop_.Post([this, ride_id] { batcher_.Add(Stop(ride_id)); });
  }

  ByHand loop_;
  int sent_ = 0;
  std::vector<std::string> heard_;
  Batcher<DispatchRequest> batcher_{
      &loop_, [this](const DispatchRequest& message) {
        ++sent_;
        ForEachJoined(message, [this](const DispatchRequest& each) { heard_.push_back(each.stop().ride_id()); });
      }};
};

TEST_F(BatcherTest, WhatWaitingTasksSayIsOneMessage) {
  for (const char* ride_id : {"a", "b", "c"}) Say(ride_id);
  loop_.RunAll();
  EXPECT_THAT(heard_, ElementsAreArray({"a", "b", "c"}));
  EXPECT_EQ(sent_, 1);
  Say("d");
  loop_.RunAll();
  EXPECT_EQ(sent_, 2);
}

TEST_F(BatcherTest, ALongQueueDoesNotHoldItBack) {
  for (int i = 0; i < 3 * kMostJoined; ++i) Say(std::to_string(i));
  Say("last");
  std::size_t heard_before_the_last = 0;
  loop_.Post([&] { heard_before_the_last = heard_.size(); });
  loop_.RunAll();
  EXPECT_GE(heard_before_the_last, static_cast<std::size_t>(2 * kMostJoined));
  EXPECT_EQ(heard_.size(), static_cast<std::size_t>(3 * kMostJoined + 1));
  EXPECT_EQ(heard_.back(), "last");
}

TEST_F(BatcherTest, WhatWasMeantForAStreamThatIsOverIsNotSent) {
  batcher_.Add(Stop("old"));
  batcher_.Clear();
  batcher_.Add(Stop("new"));
  loop_.RunAll();
  EXPECT_THAT(heard_, ElementsAreArray({"new"}));
}

TEST_F(BatcherTest, FlushedIsSentAtOnceAndOnce) {
  batcher_.Add(Stop("a"));
  batcher_.Flush();
  EXPECT_THAT(heard_, ElementsAreArray({"a"}));
  loop_.RunAll();
  EXPECT_EQ(sent_, 1);
}

}  // namespace
}  // namespace hail::rpc
