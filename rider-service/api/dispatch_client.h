// Keeps the dispatch link to driver-service, and the book of what it is for (DESIGN §4). The book lives on a loop;
// everything else posts to it.
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
  // What it is doing, for metrics.
  struct Stats {
    // It looks after its rides; false: others may. And how often that began.
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

  // What `ports` point to must outlive it. Hears of rides from now on, does nothing about them before Start.
  DispatchClient(Ports ports, RideRules rules);

  // Looks after what the store has, and opens the link, whose handlers must run on the loop. `rides` must live until
  // the loop has stopped.
  void Start(Rides* rides, const Opener& open);
  // Ends the link, and the lease; `done` runs when others may take over. Before the loop is stopped; what it still runs
  // comes to nothing. Once.
  void Stop(std::function<void()> done);

  void OnCommitted(const Ride& ride, const RideEvent* event) override;
  void OnFound(const Ride& ride) override;

  Stats stats() const;
  // Rides that nobody comes round to dispatch would fill the memory, and find no driver in time.
  bool IsOverloaded() const override;

 private:
  // Runs `input(now)` on the loop, where the book may be used.
  void Post(std::function<void(const Now&)> input);
  // On the loop: `input(now)`, then the figures.
  void Run(const std::function<void(const Now&)>& input);
  void OnMessage(const Now& now, const Response& message);
  // ReadDispatchable, when it is time, and again.
  void ReadLater();
  // Where others share the store: renews the lease; looks for rides of the dead, and for those that others took over.
  void RenewLease();
  void CheckOthers();
  // What the store calls with rides to look after.
  Done<std::vector<Ride>> Found();
  // What Rides calls when a command of the book is done.
  Done<Changed> CommandDone(const std::string& ride_id);

  // DispatchScheduler::Out; on the loop.
  void SendStart(const DispatchScheduler::Start& start) override;
  void SendStop(const std::string& ride_id, std::int64_t epoch, DispatchScheduler::StopReason reason) override;
  void RaiseEpoch(const std::string& ride_id, std::int64_t epoch) override;
  void EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) override;
  void ExpireUnacknowledged(const std::string& ride_id, std::int64_t epoch) override;
  void ReadDispatchable() override;
  // Tells the book what became of a ride that waits no more. Nobody may have: a commit that was said to have failed can
  // have happened.
  void ReadAgain(const std::string& ride_id);

  const Ports ports_;
  Rides* rides_ = nullptr;
  // Of the loop. Set: the lease is not renewed any more.
  bool stopped_ = false;
  std::unique_ptr<rpc::OutgoingStream<Request>> stream_;
  // The loop's own: the book, the number of the link that is up, and what is about to be sent on it.
  DispatchScheduler book_;
  std::uint64_t link_ = 0;
  // For link_.
  rpc::Batcher<Request> batcher_;
  // The book's figures, for threads that are not the loop.
  std::atomic<bool> leased_{false};
  std::atomic<int> leases_{0};
  std::atomic<bool> link_up_{false};
  std::atomic<std::size_t> matching_{0};
  std::atomic<std::size_t> unseen_{0};
  // Last: posts to all of the above until it has ended.
  std::unique_ptr<Bus::Subscription> from_keepers_;
};

}  // namespace hail::rider
