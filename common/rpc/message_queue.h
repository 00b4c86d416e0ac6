// The messages that wait to be sent on a stream.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/rpc/joined.h"

namespace hail::rpc {

// Two parts: queued messages, which are all sent, in order, up to a bound; and slots, one per key, in which a newer
// message replaces the older. Queued messages go first (in batches, joined.h), then slots in the order in which they
// were filled. Not thread-safe.
template <typename Message>
class MessageQueue {
 public:
  explicit MessageQueue(std::size_t bound) : bound_(bound) {}

  // False, and nothing is queued, if the queue is full.
  bool Push(Message message) {
    if (queue_.size() >= bound_) return false;
    queue_.push_back(std::move(message));
    return true;
  }

  void Put(const std::string& key, Message message) {
    auto [slot, is_new] = slots_.insert_or_assign(key, std::move(message));
    if (is_new) slot_order_.push_back(slot->first);
  }

  std::optional<Message> Pop() {
    if (!queue_.empty()) {
      std::optional<Message> next(std::move(queue_.front()));
      queue_.pop_front();
      CoalesceWaiting(*next, queue_);
      return next;
    }
    if (slot_order_.empty()) return std::nullopt;
    auto slot = slots_.find(slot_order_.front());
    slot_order_.pop_front();
    std::optional<Message> next(std::move(slot->second));
    slots_.erase(slot);
    return next;
  }

  void Clear() {
    queue_.clear();
    slots_.clear();
    slot_order_.clear();
  }

 private:
  const std::size_t bound_;
  std::deque<Message> queue_;
  std::unordered_map<std::string, Message> slots_;
  std::deque<std::string> slot_order_;
};

}  // namespace hail::rpc
