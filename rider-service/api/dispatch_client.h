// Keeps the dispatch link to driver-service, and the scheduler behind it. The scheduler runs on a loop; all
// other code posts to it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/bus/bus.h"
#include "common/exec/executor.h"
#include "common/rpc/joined.h"
#include "common/rpc/outgoing_stream.h"
#include "common/time/clock.h"
#include "hail/internal/v1/dispatch_service.pb.h"
#include "rider-service/domain/dispatch_scheduler.h"
#include "rider-service/domain/ride_store.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class DispatchClient final : public RideObserver, private DispatchScheduler::Out {
 public:
  // The present state, for metrics.
  struct Stats {
    // Whether this process holds its lease, and so dispatches its rides; and how often a lease began.
    bool leased = false;
    int leases = 0;
    bool link_up = false;
    std::size_t matching = 0;
    std::size_t unseen = 0;
    std::size_t queue = 0;
  };

  using Request = hail::internal::v1::DispatchRequest;
  using Response = hail::internal::v1::DispatchResponse;
  using Opener = rpc::StreamOpener<Request, Response>;

  struct Ports {
    RideStore* store = nullptr;
    Bus* bus = nullptr;
    const EventCodec* codec = nullptr;
    const Clock* clock = nullptr;
    Executor* loop = nullptr;
    // Names this run of the process, as in the store.
    std::string incarnation_id;
  };

  // The objects in `ports` must outlive it. Before Start, OnCommitted and OnFound have no effect.
  DispatchClient(Ports ports, RideRules rules);

  // Loads the rides of the store and opens the link, whose handlers must run on the loop. `rides` must live until the
  // loop has stopped.
  void Start(Rides* rides, const Opener& open);
  // Ends the link and the lease; `done` runs when other processes may take over. Call it once, before the loop is
  // stopped. Tasks that the loop still runs have no effect.
  void Stop(std::function<void()> done);

  void OnCommitted(const Ride& ride, const RideEvent* event) override;
  void OnFound(const Ride& ride) override;

  Stats stats() const;
  // Rides that the scheduler cannot reach in time would fill the memory and find no driver.
  bool IsOverloaded() const override;

 private:
  // Runs `input(now)` on the loop, where the scheduler may be used.
  void Post(std::function<void(const Now&)> input);
  // On the loop: runs `input(now)`, then updates the figures.
  void Run(const std::function<void(const Now&)>& input);
  void OnMessage(const Now& now, const Response& message);
  // Calls ReadDispatchable periodically.
  void ReadLater();
  // If the store is shared: renews the lease; finds rides of dead owners, and rides that other processes took over.
  void RenewLease();
  void CheckOthers();
  // Callback for the store, with rides to dispatch.
  Done<std::vector<Ride>> Found();
  // Callback for Rides, after a command of the scheduler.
  Done<Changed> CommandDone(const std::string& ride_id);

  // DispatchScheduler::Out; on the loop.
  void SendStart(const DispatchScheduler::Start& start) override;
  void SendStop(const std::string& ride_id, std::int64_t epoch, DispatchScheduler::StopReason reason) override;
  void RaiseEpoch(const std::string& ride_id, std::int64_t epoch) override;
  void EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) override;
  void ExpireUnacknowledged(const std::string& ride_id, std::int64_t epoch) override;
  void ReadDispatchable() override;
  // Reports a ride that no longer waits to the scheduler. It may not know yet, because a commit that was reported as
  // failed may have happened.
  void ReadAgain(const std::string& ride_id);

  const Ports ports_;
  Rides* rides_ = nullptr;
  // Used on the loop only. Set: the lease is not renewed any more.
  bool stopped_ = false;
  std::unique_ptr<rpc::OutgoingStream<Request>> stream_;
  // Used on the loop only: the scheduler, the number of the present link, and the messages to be sent on it.
  DispatchScheduler scheduler_;
  std::uint64_t link_ = 0;
  // Sends on the link link_.
  rpc::Batcher<Request> batcher_;
  // The scheduler's figures, for threads other than the loop.
  std::atomic<bool> leased_{false};
  std::atomic<int> leases_{0};
  std::atomic<bool> link_up_{false};
  std::atomic<std::size_t> matching_{0};
  std::atomic<std::size_t> unseen_{0};
  // Last member: posts to all members above until it has ended.
  std::unique_ptr<Bus::Subscription> from_keepers_;
};

}  // namespace hail::rider
