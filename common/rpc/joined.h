// Messages that travel together. On a busy stream most of what a small message costs is its being one: its own write,
// its own read. A message type with a field `repeated <itself> more` takes those that wait behind it along, and whoever
// receives it hears them one by one, in order. Nothing waits to be joined: only what has to wait for a write is.
#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

namespace hail::rpc {

template <typename Message>
concept Joinable = requires(Message& message) {
  { message.add_more() } -> std::same_as<Message*>;
};

// Far below the size a message may have.
inline constexpr std::size_t kJoinedBytes = 24 * 1024;
inline constexpr int kMostJoined = 64;

// Moves what waits in `queue` (a deque of messages) behind `first`, as much of it as may travel with it.
template <typename Message, typename Queue>
void JoinWaiting(Message& first, Queue& queue) {
  if constexpr (Joinable<Message>) {
    if (queue.empty()) return;
    std::size_t bytes = first.ByteSizeLong();
    for (int joined = 0; joined < kMostJoined && !queue.empty(); ++joined) {
      bytes += queue.front().ByteSizeLong();
      if (bytes > kJoinedBytes) return;
      *first.add_more() = std::move(queue.front());
      queue.pop_front();
    }
  }
}

// Calls `hear` with `message`, then with each that came along.
template <typename Message, typename Hear>
void HearEach(const Message& message, const Hear& hear) {
  hear(message);
  if constexpr (Joinable<Message>) {
    for (const Message& next : message.more()) hear(next);
  }
}

}  // namespace hail::rpc
