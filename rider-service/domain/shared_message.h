// A protobuf message that copies share until one of them is edited: a copy costs nothing, and the bytes are encoded
// once for all stores and senders.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/call_once.h"

namespace hail::rider {

// As thread-safe as a std::string.
template <typename Message>
class SharedMessage {
 public:
  SharedMessage() = default;
  SharedMessage(const SharedMessage& other) : held_(other.held_) { Share(); }
  SharedMessage(SharedMessage&&) noexcept = default;
  SharedMessage& operator=(const SharedMessage& other) {
    held_ = other.held_;
    Share();
    return *this;
  }
  SharedMessage& operator=(SharedMessage&&) noexcept = default;
  ~SharedMessage() = default;

  const Message& operator*() const { return held_ == nullptr ? Message::default_instance() : held_->message; }
  const Message* operator->() const { return &**this; }

  // The message for editing. Use it before this object is copied and before its bytes are read.
  Message* Edit() {
    if (held_ == nullptr) {
      held_ = std::make_shared<Held>();
    } else if (held_->shared.load(std::memory_order_relaxed)) {
      auto own = std::make_shared<Held>();
      own->message = held_->message;
      held_ = std::move(own);
    }
    return &held_->message;
  }

  // The encoded message.
  const std::string& bytes() const {
    static const std::string& none = *new std::string;
    if (held_ == nullptr) return none;
    Share();
    absl::call_once(held_->encoded, [this] { held_->bytes = held_->message.SerializeAsString(); });
    return held_->bytes;
  }

  void Clear() { held_ = nullptr; }

 private:
  struct Held {
    Message message;
    // Other owners may have the message or its bytes, so it must not be edited any more.
    std::atomic<bool> shared{false};
    absl::once_flag encoded;
    std::string bytes;
  };

  void Share() const {
    if (held_ != nullptr) held_->shared.store(true, std::memory_order_relaxed);
  }

  std::shared_ptr<Held> held_;
};

}  // namespace hail::rider
