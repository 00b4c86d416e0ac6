// A protobuf message that its copies share until one of them is edited: passing it on costs no copy, and its bytes are
// made once, for everybody who stores or sends it.
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

  // To be changed before this object is copied, and before its bytes are asked for.
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

  // The message, encoded.
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
    // Somebody else may have it, or its bytes: never edited again.
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
