// This process among the replicas of driver-service: its messages to and from the others, its lease, and the check of
// the store for sessions that other replicas claimed.
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

// One thread calls Start and Stop; all other functions run on the dispatch loop.
class Replicas final {
 public:
  // All must outlive this.
  struct Parts {
    Bus& bus;
    const Clock& clock;
    DispatchHost& host;
    DriverStore& store;
    PresenceGossip& presences;
    // The incarnation of this process.
    std::string replica;
  };
  explicit Replicas(Parts parts);

  // Starts to send and receive messages. Must be called after DispatchHost::Start. `on_lease` runs once, on any thread,
  // when the lease begins or the first attempt has failed: another replica could take a session that is claimed
  // earlier.
  void Start(std::function<void()> on_lease);
  // Stops sending and receiving, and ends the lease. Must be called before the loop and the store are stopped;
  // idempotent.
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
  // Used on the loop only.
  bool stopped_ = false;
  bool renewing_ = false;
  bool checking_ = false;
  // Wall time: claims before this are known.
  absl::Time checked_ = absl::InfiniteFuture();
};

}  // namespace hail::driver
