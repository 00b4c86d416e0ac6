#include "tests/simulation/sim_bus.h"

#include <utility>
#include <variant>
#include <vector>

#include "driver-service/codec/replica_codec.h"
#include "rider-service/codec/record_codec.h"
#include "tests/simulation/universe.h"

namespace hail::simulation {
namespace {

// Topic prefix of messages between replicas of driver-service; the recipient's name follows.
constexpr char kToReplica[] = "replica.";

}  // namespace

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

SimBus::SimBus(Universe* universe, const Life* life, std::function<std::vector<SimBus*>()> all)
    : universe_(universe), life_(life), all_(std::move(all)) {}

SimBus::~SimBus() = default;

bool SimBus::HasSubscribers(std::string_view topic) const {
  if (all_ != nullptr) return true;
  const auto found = topics_->by_name.find(std::string(topic));
  return found != topics_->by_name.end() && !found->second.empty();
}

void SimBus::Publish(std::string_view topic, BusPayload payload) {
  const std::string name(topic);
  if (name.rfind("ask.", 0) == 0) universe_->Hit(Situation::kCallPassedOn);
  if (name.rfind(kToReplica, 0) == 0) NoteSituations(name.substr(sizeof(kToReplica) - 1), *payload);
  Arrive(name, payload);
  if (all_ == nullptr || cut_) return;
  for (SimBus* const other : all_()) {
    if (other == this || other->cut_) continue;
    universe_->scheduler().After(absl::Milliseconds(universe_->random().Between(0, 5)), other->life_,
                                 [other, name, payload] { other->Arrive(name, payload); });
  }
}

void SimBus::NoteSituations(const std::string& replica, const std::string& payload) {
  const auto message = driver::ReplicaMessageFromBytes(payload, universe_->clock().Read().domain);
  if (!message.ok()) return;
  if (const auto* status = std::get_if<driver::RemoteOfferStatus>(&message->second); status != nullptr) {
    if (status->status == driver::OfferStatus::kPending) universe_->OfferAskedFor(status->offer_id, replica);
    if (status->status == driver::OfferStatus::kAccepted) universe_->Hit(Situation::kAskedOfferAccepted);
  }
  if (std::holds_alternative<driver::OfferWithdraw>(message->second)) {
    universe_->Hit(Situation::kAskedOfferWithdrawn);
  }
}

void SimBus::Arrive(const std::string& name, const BusPayload& payload) {
  const auto found = topics_->by_name.find(name);
  if (found == topics_->by_name.end() || found->second.empty()) return;
  if (!universe_->stormy()) return Deliver(name, payload);
  const BusFaults& faults = universe_->plan().bus;
  sim::Random& random = universe_->random();
  // Messages that are sent many times a second are not counted.
  const auto count = [this, counts = name != "replicas"](Situation situation) {
    if (!counts) return;
    universe_->CountFault();
    universe_->Hit(situation);
  };
  const auto later = [this, name, payload](absl::Duration wait) {
    universe_->scheduler().After(wait, life_, [this, name, payload] { Deliver(name, payload); });
  };
  if (random.Chance(faults.lose)) {
    count(Situation::kBusLost);
    if (name.rfind("ride.", 0) != 0) return;
    if (const auto event = rider::ProtoEventCodec().Decode(*payload); event.ok()) {
      universe_->BusLost(event->ride_id(), event->sequence());
    }
    return;
  }
  if (random.Chance(faults.twice)) {
    count(Situation::kBusDoubled);
    later(absl::Milliseconds(random.Between(0, 500)));
  }
  if (random.Chance(faults.late)) {
    count(Situation::kBusReordered);
    return later(absl::Milliseconds(random.Between(0, 1000)));
  }
  Deliver(name, payload);
}

void SimBus::Deliver(const std::string& topic, const BusPayload& payload) {
  // Callbacks may subscribe and unsubscribe.
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
