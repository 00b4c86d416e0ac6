#include <array>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/bus/bus.h"
#include "common/failpoint/failpoint.h"

namespace hail {
namespace {

// One subscriber. Publishers hold it by shared_ptr while they call it, without the map's lock.
class Subscriber {
 public:
  explicit Subscriber(std::function<void(const BusPayload&)> on_message) : on_message_(std::move(on_message)) {}

  void Deliver(const BusPayload& payload) {
    {
      absl::MutexLock lock(&mutex_);
      if (ended_) return;
      ++running_;
    }
    on_message_(payload);
    absl::MutexLock lock(&mutex_);
    --running_;
  }

  // Stops delivery, and waits for callbacks that run on other threads.
  void End() {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    mutex_.Await(absl::Condition(
        +[](int* running) { return *running == 0; }, &running_));
  }

 private:
  const std::function<void(const BusPayload&)> on_message_;
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

using Subscribers = std::vector<std::shared_ptr<Subscriber>>;

// Topics spread over shards, so that publishers of different topics rarely share a lock.
struct Shard {
  absl::Mutex mutex;
  // The list of a topic is replaced, never changed: Publish takes a reference and releases the lock.
  std::unordered_map<std::string, std::shared_ptr<const Subscribers>> topics ABSL_GUARDED_BY(mutex);
};

class Shards {
 public:
  Shard& Of(const std::string& topic) { return shards_[std::hash<std::string>()(topic) % shards_.size()]; }

 private:
  std::array<Shard, 64> shards_;
};

class LocalSubscription final : public Bus::Subscription {
 public:
  LocalSubscription(std::shared_ptr<Shards> shards, std::string topic, std::shared_ptr<Subscriber> subscriber)
      : shards_(std::move(shards)), topic_(std::move(topic)), subscriber_(std::move(subscriber)) {}

  ~LocalSubscription() override {
    Shard& shard = shards_->Of(topic_);
    {
      absl::MutexLock lock(&shard.mutex);
      const auto found = shard.topics.find(topic_);
      auto rest = std::make_shared<Subscribers>(*found->second);
      std::erase(*rest, subscriber_);
      if (rest->empty()) {
        shard.topics.erase(found);
      } else {
        found->second = std::move(rest);
      }
    }
    subscriber_->End();
  }

 private:
  const std::shared_ptr<Shards> shards_;
  const std::string topic_;
  const std::shared_ptr<Subscriber> subscriber_;
};

class LocalBus final : public Bus {
 public:
  void Publish(std::string_view topic, BusPayload payload) override {
    HAIL_FAILPOINT(kPublishBefore);
    const std::string name(topic);
    Shard& shard = shards_->Of(name);
    std::shared_ptr<const Subscribers> subscribers;
    {
      absl::MutexLock lock(&shard.mutex);
      const auto found = shard.topics.find(name);
      if (found == shard.topics.end()) return;
      subscribers = found->second;
    }
    for (const auto& subscriber : *subscribers) subscriber->Deliver(payload);
  }

  bool HasSubscribers(std::string_view topic) const override {
    const std::string name(topic);
    Shard& shard = shards_->Of(name);
    absl::MutexLock lock(&shard.mutex);
    return shard.topics.contains(name);
  }

  std::unique_ptr<Subscription> Subscribe(std::string topic,
                                          std::function<void(const BusPayload&)> on_message) override {
    auto subscriber = std::make_shared<Subscriber>(std::move(on_message));
    Shard& shard = shards_->Of(topic);
    {
      absl::MutexLock lock(&shard.mutex);
      std::shared_ptr<const Subscribers>& present = shard.topics[topic];
      auto more = present ? std::make_shared<Subscribers>(*present) : std::make_shared<Subscribers>();
      more->push_back(subscriber);
      present = std::move(more);
    }
    return std::make_unique<LocalSubscription>(shards_, std::move(topic), std::move(subscriber));
  }

 private:
  // Shared with the subscriptions, which may outlive the bus.
  const std::shared_ptr<Shards> shards_ = std::make_shared<Shards>();
};

}  // namespace

std::unique_ptr<Bus> MakeLocalBus() { return std::make_unique<LocalBus>(); }

}  // namespace hail
