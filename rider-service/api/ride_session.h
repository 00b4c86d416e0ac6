// One watched ride, for WatchRide and StreamRide. Connects the feed's core to the store, the bus and the position
// cache.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/bus/bus.h"
#include "common/exec/executor.h"
#include "common/rpc/sink.h"
#include "common/time/clock.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/feed_checks.h"
#include "rider-service/api/telemetry.h"
#include "rider-service/domain/ride_feed.h"
#include "rider-service/domain/ride_store.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Objects that all sessions share; all must outlive every session.
struct SessionPorts {
  RideStore* store = nullptr;
  Bus* bus = nullptr;
  const EventCodec* codec = nullptr;
  PositionCache* telemetry = nullptr;
  FeedChecks* checks = nullptr;
  const Clock* clock = nullptr;
  // Ends subscriptions: a bus subscription must not be ended from inside its own callback.
  Executor* housekeeping = nullptr;
};

// Thread-safe. Keep it in a shared_ptr: callbacks hold weak ones.
class RideSession final : public CheckedFeed, public std::enable_shared_from_this<RideSession>, private RideFeed::Out {
 public:
  // Called one at a time, in order, with the session's lock held: must not block and must not call the session.
  using Sink = rpc::Sink<hail::rider::v1::WatchRideResponse>;

  static std::shared_ptr<RideSession> Open(const SessionPorts& ports, std::string rider_id, std::string ride_id,
                                           std::optional<std::int64_t> cursor, std::shared_ptr<Sink> sink);

  // The stream has ended: nothing is sent any more. Idempotent.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // For heartbeats: the highest known sequence.
  std::int64_t known_sequence() const ABSL_LOCKS_EXCLUDED(mutex_);
  // For `draining`: the last sequence sent.
  std::int64_t sent_sequence() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Reports to the rider, once, that the driver's position is missing, if it is.
  void CheckPosition() ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<std::string> Watched() const override { return {ride_id_}; }
  void OnStoreSequences(const StoreSequences& sequences) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  RideSession(const SessionPorts& ports, std::string rider_id, std::string ride_id, std::optional<std::int64_t> cursor,
              std::shared_ptr<Sink> sink);

  // Passes `input` to the feed, then sends the feed's requested read to the store.
  void Feed(const std::function<void(RideFeed&)>& input) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnPayload(const BusPayload& payload);
  void OnFix(const DriverFix& fix) ABSL_LOCKS_EXCLUDED(mutex_);
  // The telemetry of the driver to show now; nullopt: none, or the stream has ended.
  std::optional<hail::rider::v1::RideTelemetry> Position() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends it, if there is any.
  void SendPosition() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(hail::rider::v1::RideTelemetry telemetry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // RideFeed::Out; called by the feed, with the lock held.
  void Read(std::optional<std::int64_t> after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void SendSnapshot(const Ride& ride) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void SendEvent(const RideEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void SendCaughtUp(std::int64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void SendReset(const std::string& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void Finish(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;

  const SessionPorts ports_;
  const std::string ride_id_;

  mutable absl::Mutex mutex_;
  RideFeed feed_ ABSL_GUARDED_BY(mutex_);
  // Null once closed.
  std::shared_ptr<Sink> sink_ ABSL_GUARDED_BY(mutex_);
  // The read that the feed requested during the present input.
  struct WantedRead {
    std::optional<std::int64_t> after;
  };
  std::optional<WantedRead> wanted_read_ ABSL_GUARDED_BY(mutex_);
  // The epoch whose driver's position was last reported missing; nullopt: another position was sent since then.
  std::optional<std::int64_t> missing_epoch_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Bus::Subscription> bus_subscription_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<PositionCache::Subscription> fix_subscription_ ABSL_GUARDED_BY(mutex_);
};

// Sets driver_last_seen of a ride before it is shown, if the cache has a position.
void AddDriverLastSeen(const PositionCache& board, hail::type::v1::Ride* ride);

}  // namespace hail::rider
