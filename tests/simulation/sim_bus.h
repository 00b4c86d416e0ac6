// The bus port, simulated: its messages are hints that may be lost, doubled or late.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/bus/bus.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/scheduler.h"

namespace hail::simulation {

class Universe;

// Belongs to one process. Delivers on the publisher's stack, as the local bus does, unless a fault occurs; to the other
// processes a little later.
class SimBus final : public Bus {
 public:
  // `all`: returns the service's live processes, perhaps including this one; null: the service has one process only.
  SimBus(Universe* universe, const Life* life, std::function<std::vector<SimBus*>()> all);
  ~SimBus() override;

  bool HasSubscribers(std::string_view topic) const override;
  void Publish(std::string_view topic, BusPayload payload) override;
  std::unique_ptr<Subscription> Subscribe(std::string topic,
                                          std::function<void(const BusPayload&)> on_message) override;

  // Disconnected from the other processes.
  void set_cut(bool cut) { cut_ = cut; }

 private:
  using Subscribers = std::map<std::uint64_t, std::shared_ptr<std::function<void(const BusPayload&)>>>;
  struct Topics {
    std::map<std::string, Subscribers> by_name;
  };
  class Ended;

  // Notes the situations that a message to `replica` of driver-service shows.
  void NoteSituations(const std::string& replica, const std::string& payload);
  void Deliver(const std::string& topic, const BusPayload& payload);
  // A message published by this or another process arrives at this process.
  void Arrive(const std::string& topic, const BusPayload& payload);

  Universe* const universe_;
  const Life* const life_;
  const std::function<std::vector<SimBus*>()> all_;
  // Subscriptions may outlive their process.
  const std::shared_ptr<Topics> topics_ = std::make_shared<Topics>();
  std::uint64_t next_ = 0;
  bool cut_ = false;
};

// The buses of these processes.
template <typename Node>
std::vector<SimBus*> BusesOf(const std::vector<Node*>& nodes) {
  std::vector<SimBus*> buses;
  for (Node* const node : nodes) buses.push_back(&node->bus());
  return buses;
}

}  // namespace hail::simulation
