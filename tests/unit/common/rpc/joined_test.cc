// What waits for a write travels together, and is heard as if it had not.
#include "common/rpc/joined.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

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

// Takes all there is, as a stream would: how many messages it wrote, and what was heard.
struct Sent {
  int writes = 0;
  std::size_t largest = 0;
  std::vector<std::string> heard;
};
Sent SendAll(MessageQueue<DispatchRequest>& queue) {
  Sent sent;
  while (std::optional<DispatchRequest> next = queue.Pop()) {
    ++sent.writes;
    sent.largest = std::max(sent.largest, next->ByteSizeLong());
    HearEach(*next, [&](const DispatchRequest& each) { sent.heard.push_back(each.stop().ride_id()); });
  }
  return sent;
}

TEST(JoinedTest, WhatWaitsTravelsTogetherAndIsHeardInOrder) {
  MessageQueue<DispatchRequest> queue(1000);
  std::vector<std::string> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(std::to_string(i));
    ASSERT_TRUE(queue.Push(Stop(all.back())));
  }
  const Sent sent = SendAll(queue);
  EXPECT_THAT(sent.heard, ElementsAreArray(all));
  EXPECT_EQ(sent.writes, (200 + kMostJoined) / (kMostJoined + 1));
}

TEST(JoinedTest, NoMessageGrowsTooLarge) {
  MessageQueue<DispatchRequest> queue(1000);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(queue.Push(Stop("", 2000)));
  const Sent sent = SendAll(queue);
  EXPECT_EQ(sent.heard.size(), 50u);
  // With room for the lengths of what is inside.
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
  EXPECT_THAT(sent.heard, ElementsAreArray({"queued", "slot"}));
}

}  // namespace
}  // namespace hail::rpc
