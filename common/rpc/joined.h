// Batches small messages: on a busy stream the cost of each write and read dominates. A message type with a field
// `repeated <itself> more` carries the messages that wait behind it; the receiver handles them one by one, in order. A
// queue batches the messages that wait for a write anyway, a Batcher those of one pass of a loop.
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

// Well below the maximum size of a message.
inline constexpr std::size_t kJoinedBytes = 24 * 1024;
inline constexpr int kMostJoined = 64;

// Moves messages that wait in `queue` (a deque) behind `first`, up to the size limit of a batch.
template <typename Message, typename Queue>
void CoalesceWaiting(Message& first, Queue& queue) {
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

// Calls `use` with `message`, then with each message in its `more`.
template <typename Message, typename Use>
void ForEachJoined(const Message& message, const Use& use) {
  use(message);
  if constexpr (Joinable<Message>) {
    for (const Message& next : message.more()) use(next);
  }
}

// Collects the messages of successive tasks of an executor. Sends them together once the tasks that were waiting at the
// first Add have run. All calls must be on the executor.
template <Joinable Message>
class Batcher {
 public:
  // `send` and `executor` must live until the executor has stopped.
  Batcher(Executor* executor, std::function<void(Message)> send)
      : executor_(executor), state_(std::make_shared<State>(std::move(send))) {}

  void Add(Message message) {
    state_->waiting.push_back(std::move(message));
    if (state_->waiting.size() > kMostJoined) return Flush();
    if (state_->waiting.size() == 1) executor_->Post([state = state_] { state->Flush(); });
  }
  // Sends the collected messages now.
  void Flush() { state_->Flush(); }
  // Drops the collected messages, because their stream has ended.
  void Clear() { state_->waiting.clear(); }

 private:
  struct State {
    explicit State(std::function<void(Message)> to) : send(std::move(to)) {}
    void Flush() {
      while (!waiting.empty()) {
        Message first = std::move(waiting.front());
        waiting.pop_front();
        CoalesceWaiting(first, waiting);
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
