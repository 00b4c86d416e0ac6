// This process among the replicas of driver-service: what it says to the others and hears from them, the lease that
// says that it lives, and the check of the store for sessions that others claimed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/bus/bus.h"
#include "common/exec/executor.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/presence_gossip.h"
#include "driver-service/domain/driver_store.h"

namespace hail::driver {

// Start and Stop are one thread's; the rest runs on the dispatch loop.
class Replicas final {
 public:
  // All must outlive this.
  struct Parts {
    Bus& bus;
    const Clock& clock;
    DispatchHost& host;
    DriverStore& store;
    PresenceGossip& presences;
    // This process's incarnation.
    std::string replica;
  };
  explicit Replicas(Parts parts);

  // Hears and says from now on. After DispatchHost::Start. `on_lease` runs once, on any thread, when the lease begins
  // to run or could not be had yet: what is claimed before is not safe from others.
  void Start(std::function<void()> on_lease);
  // Says and hears nothing more, and gives up the lease. Before the loop and the store are stopped; idempotent.
  void Stop();

  // Effects, on the dispatch loop.
  void ToReplica(const std::string& replica, const ReplicaMessage& message);
  void ToReplicas(const ReplicaMessage& message);

 private:
  void Publish(const std::string& topic, const ReplicaMessage& message);
  void OnPayload(const BusPayload& payload);
  void RenewLease(std::function<void()> done);
  void CheckClaims();

  const Parts parts_;
  const std::string own_topic_;
  std::unique_ptr<Bus::Subscription> to_all_;
  std::unique_ptr<Bus::Subscription> to_this_;
  // Loop only.
  bool stopped_ = false;
  bool renewing_ = false;
  bool checking_ = false;
  // Wall time: claims before this are known.
  absl::Time checked_ = absl::InfiniteFuture();
};

}  // namespace hail::driver
