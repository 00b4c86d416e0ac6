// The feed of one driver's rides on WatchDrivers. It uses the driver's own numbering of events
// (RideEvent::driver_sequence), so that nothing is missed or repeated over all the driver's rides. A pure core.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "rider-service/domain/cursor_feed.h"
#include "rider-service/domain/ride.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// One subscription: a new one of the same driver is a new DriverFeed. Not thread-safe.
class DriverFeed final : public CursorFeed {
 public:
  // Called from inside the inputs; must not call the feed before the input returns (post the read's answer).
  class Out {
   public:
    virtual ~Out() = default;
    // Call RideStore::ReadDriver, answer with OnCatchUp. At most one read of either kind at a time.
    virtual void ReadCatchUp(const std::string& driver_id, const std::optional<Cursor>& cursor) = 0;
    // Call RideStore::ReadDriverEvents, answer with OnEvents.
    virtual void ReadEvents(const std::string& driver_id, std::int64_t after) = 0;
    // To driver-service; the driver's view (view.h).
    virtual void SendSnapshot(const std::string& driver_id, std::int64_t subscription,
                              const DriverCatchUp& snapshot) = 0;
    virtual void SendEvent(const std::string& driver_id, std::int64_t subscription, const RideEvent& event) = 0;
  };

  DriverFeed(std::string driver_id, std::int64_t subscription, std::optional<Cursor> cursor, Out* out);

  // Call it once the bus subscription to DriverTopic is active.
  void Begin();
  void OnCatchUp(const absl::StatusOr<DriverCatchUp>& result);
  void OnEvents(const absl::StatusOr<std::vector<RideEvent>>& result);
  // From the bus: in any order, twice, or never. Events of other drivers are ignored.
  void OnEvent(const RideEvent& event);
  // The 2 s check, from RideStore::DriverSequences. Also retries a failed read.
  void OnStoreSequence(std::int64_t driver_sequence);

  const std::string& driver_id() const { return driver_id_; }
  std::int64_t subscription() const { return subscription_; }
  // Whether the snapshot was sent.
  bool caught_up() const { return begun(); }

 private:
  void SendNext(const RideEvent& event) override;
  void ReadAfter(std::int64_t after) override;

  const std::string driver_id_;
  const std::int64_t subscription_;
  const std::optional<Cursor> cursor_;
  Out* const out_;
};

}  // namespace hail::rider
