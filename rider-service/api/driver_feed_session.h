// The feeds of all drivers that one driver-service watches, over one WatchDrivers stream.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/sink.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "rider-service/api/feed_checks.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/domain/driver_feed.h"

namespace hail::rider {

// Thread-safe. Keep it in a shared_ptr: callbacks hold weak ones. Close it before releasing it.
class DriverFeedSession final : public CheckedFeed,
                                public std::enable_shared_from_this<DriverFeedSession>,
                                private DriverFeed::Out {
 public:
  // Called one at a time, in order, with the session's lock held: must not block and must not call the session.
  using Sink = rpc::Sink<hail::internal::v1::WatchDriversResponse>;

  static std::shared_ptr<DriverFeedSession> Open(const SessionPorts& ports, std::shared_ptr<Sink> sink);

  void Subscribe(const hail::internal::v1::SubscribeDriver& subscribe) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unsubscribe(const std::string& driver_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // The stream has ended: nothing is sent any more. Idempotent.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<std::string> Watched() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStoreSequences(const StoreSequences& sequences) override ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream, because another replica may be able to read the store.
  void OnStoreAway() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // One subscription of one driver.
  struct DriverWatch {
    DriverWatch(std::uint64_t number, std::string driver_id, std::int64_t subscription, std::optional<Cursor> cursor,
                DriverFeed::Out* out)
        : number(number), feed(std::move(driver_id), subscription, std::move(cursor), out) {}
    // Distinguishes answers for this subscription from answers for an earlier one of the same driver.
    const std::uint64_t number;
    DriverFeed feed;
    std::shared_ptr<Bus::Subscription> bus_subscription;
  };
  // A read that a feed requested during the present input.
  struct WantedRead {
    std::string driver_id;
    std::uint64_t number = 0;
    bool catch_up = false;
    std::optional<Cursor> cursor;
    std::int64_t after = 0;
  };

  DriverFeedSession(const SessionPorts& ports, std::shared_ptr<Sink> sink) : ports_(ports), sink_(std::move(sink)) {}

  // Passes `input` to the driver's feed if its number is still `number`, then sends the requested reads to the store.
  void Feed(const std::string& driver_id, std::uint64_t number, const std::function<void(DriverFeed&)>& input)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AskFor(std::vector<WantedRead> wanted) ABSL_LOCKS_EXCLUDED(mutex_);
  void Retire(std::shared_ptr<Bus::Subscription> subscription);

  // DriverFeed::Out; called by the feeds, with the lock held.
  void ReadCatchUp(const std::string& driver_id, const std::optional<Cursor>& cursor)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void ReadEvents(const std::string& driver_id, std::int64_t after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void SendSnapshot(const std::string& driver_id, std::int64_t subscription, const DriverCatchUp& snapshot)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;
  void SendEvent(const std::string& driver_id, std::int64_t subscription, const RideEvent& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override;

  const SessionPorts ports_;

  mutable absl::Mutex mutex_;
  // Null once closed.
  std::shared_ptr<Sink> sink_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::unique_ptr<DriverWatch>> drivers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  std::vector<WantedRead> wanted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::rider
