#include "tests/simulation/sim_bus.h"

#include <utility>
#include <vector>

#include "rider-service/codec/event_codec.h"
#include "tests/simulation/rider_node.h"
#include "tests/simulation/universe.h"

namespace hail::simulation {

class SimBus::Ended final : public Bus::Subscription {
 public:
  Ended(std::weak_ptr<Topics> topics, std::string topic, std::uint64_t number)
      : topics_(std::move(topics)), topic_(std::move(topic)), number_(number) {}
  ~Ended() override {
    if (const auto topics = topics_.lock()) topics->by_name[topic_].erase(number_);
  }

 private:
  const std::weak_ptr<Topics> topics_;
  const std::string topic_;
  const std::uint64_t number_;
};

SimBus::SimBus(Universe* universe, const Life* life) : universe_(universe), life_(life) {}

SimBus::~SimBus() = default;

bool SimBus::Heard(std::string_view topic) const {
  if (universe_->plan().rider_replicas > 1) return true;
  const auto found = topics_->by_name.find(std::string(topic));
  return found != topics_->by_name.end() && !found->second.empty();
}

void SimBus::Publish(std::string_view topic, BusPayload payload) {
  const std::string name(topic);
  Arrive(name, payload);
  for (RiderNode* const other : universe_->riders()) {
    if (&other->bus() == this || cut_ || other->bus().cut_) continue;
    universe_->scheduler().After(absl::Milliseconds(universe_->random().Between(0, 5)), &other->life(),
                                 [other, name, payload] { other->bus().Arrive(name, payload); });
  }
}

void SimBus::Arrive(const std::string& name, const BusPayload& payload) {
  const auto found = topics_->by_name.find(name);
  if (found == topics_->by_name.end() || found->second.empty()) return;
  if (!universe_->stormy()) return Deliver(name, payload);
  const BusFaults& faults = universe_->plan().bus;
  sim::Random& random = universe_->random();
  const auto later = [this, name, payload](absl::Duration wait) {
    universe_->scheduler().After(wait, life_, [this, name, payload] { Deliver(name, payload); });
  };
  if (random.Chance(faults.lose)) {
    universe_->CountFault();
    universe_->Hit(Situation::kBusLost);
    if (const auto event = rider::ProtoEventCodec().Decode(*payload); event.ok() && name.rfind("ride.", 0) == 0) {
      universe_->BusLost(event->ride_id, event->sequence);
    }
    return;
  }
  if (random.Chance(faults.twice)) {
    universe_->CountFault();
    universe_->Hit(Situation::kBusDoubled);
    later(absl::Milliseconds(random.Between(0, 500)));
  }
  if (random.Chance(faults.late)) {
    universe_->CountFault();
    universe_->Hit(Situation::kBusReordered);
    return later(absl::Milliseconds(random.Between(0, 1000)));
  }
  Deliver(name, payload);
}

void SimBus::Deliver(const std::string& topic, const BusPayload& payload) {
  // Subscribers come and go while they are called.
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, subscriber] : topics_->by_name[topic]) numbers.push_back(number);
  for (const std::uint64_t number : numbers) {
    Subscribers& subscribers = topics_->by_name[topic];
    const auto found = subscribers.find(number);
    if (found == subscribers.end()) continue;
    const auto subscriber = found->second;
    (*subscriber)(payload);
  }
}

std::unique_ptr<Bus::Subscription> SimBus::Subscribe(std::string topic,
                                                     std::function<void(const BusPayload&)> on_message) {
  const std::uint64_t number = ++next_;
  topics_->by_name[topic][number] = std::make_shared<std::function<void(const BusPayload&)>>(std::move(on_message));
  return std::make_unique<Ended>(topics_, std::move(topic), number);
}

}  // namespace hail::simulation
