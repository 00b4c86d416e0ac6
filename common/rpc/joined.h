// Messages that travel together. On a busy stream most of what a small message costs is its being one: its own write,
// its own read. A message type with a field `repeated <itself> more` takes those that wait behind it along, and whoever
// receives it hears them one by one, in order. Joined is what has to wait for a write anyway, and what a Burst gathers.
#pragma once

#include <concepts>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "common/exec/executor.h"

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

// What the tasks of an executor say one after another, sent together: once those that were waiting when the first of it
// was said have run. All calls on the executor.
template <Joinable Message>
class Burst {
 public:
  // `send` and `executor` must live until the executor has stopped.
  Burst(Executor* executor, std::function<void(Message)> send)
      : executor_(executor), state_(std::make_shared<State>(std::move(send))) {}

  void Add(Message message) {
    state_->waiting.push_back(std::move(message));
    if (state_->waiting.size() > kMostJoined) return Flush();
    if (state_->waiting.size() == 1) executor_->Post([state = state_] { state->Flush(); });
  }
  // Sends what there is, now.
  void Flush() { state_->Flush(); }
  // Forgets it: it was meant for a stream that is over.
  void Clear() { state_->waiting.clear(); }

 private:
  struct State {
    explicit State(std::function<void(Message)> to) : send(std::move(to)) {}
    void Flush() {
      while (!waiting.empty()) {
        Message first = std::move(waiting.front());
        waiting.pop_front();
        JoinWaiting(first, waiting);
        send(std::move(first));
      }
    }
    const std::function<void(Message)> send;
    std::deque<Message> waiting;
  };

  Executor* const executor_;
  const std::shared_ptr<State> state_;
};

}  // namespace hail::rpc
