// The port for publish/subscribe inside one service, across its replicas. Messages are hints: they may be lost,
// duplicated or late. Code that needs certainty reads the store.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace hail {

// Payloads are shared, so that one encoding serves every subscriber.
using BusPayload = std::shared_ptr<const std::string>;

// Thread-safe.
class Bus {
 public:
  // Ends the subscription when destroyed: afterwards the callback is not running and will not run again. Must not be
  // destroyed from inside its own callback.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };

  virtual ~Bus() = default;

  // Whether `topic` may have subscribers now. If false, the publisher need not build a payload; a subscriber that joins
  // later gets only later messages.
  virtual bool HasSubscribers(std::string_view /*topic*/) const { return true; }

  // `topic` is exact: words of [A-Za-z0-9_-] or %XX, joined by dots. See TopicWord.
  virtual void Publish(std::string_view topic, BusPayload payload) = 0;

  // `on_message` runs on any thread, must not block, and may run concurrently with itself. The subscription is active
  // when this returns: later messages are delivered.
  virtual std::unique_ptr<Subscription> Subscribe(std::string topic,
                                                  std::function<void(const BusPayload&)> on_message) = 0;
};

// `id` as one word of a topic: any byte outside [A-Za-z0-9_-] becomes %XX.
std::string TopicWord(std::string_view id);
// Whether `text` can be one word of a topic.
bool IsTopicWord(std::string_view text);

// In-process: delivers on the publisher's thread, before Publish returns.
std::unique_ptr<Bus> MakeLocalBus();

}  // namespace hail
