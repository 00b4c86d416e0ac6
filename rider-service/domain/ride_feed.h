// The feed of one watched ride: subscribe to the bus, read the store after the cursor, deliver by sequence.
// A pure core: its session reads and sends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rider-service/domain/cursor_feed.h"
#include "rider-service/domain/ride.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// Not thread-safe: the session that owns it serialises the calls.
class RideFeed final : public CursorFeed {
 public:
  // Called from inside the inputs; must not call the feed before the input returns (post the read's answer).
  class Out {
   public:
    virtual ~Out() = default;
    // Call RideStore::ReadLog, answer with OnRead. At most one at a time.
    virtual void Read(std::optional<std::int64_t> after) = 0;
    // To the rider; rides and events are the rider's view (view.h).
    virtual void SendSnapshot(const Ride& ride) = 0;
    virtual void SendEvent(const RideEvent& event) = 0;
    virtual void SendCaughtUp(std::int64_t sequence) = 0;
    virtual void SendReset(const std::string& message) = 0;
    // The last call: OK after the final event; otherwise RIDE_NOT_FOUND, the first read's error, or REPLICA_TOO_OLD.
    virtual void Finish(const absl::Status& status) = 0;
  };

  // Watches `ride_id` for `rider_id`, starting after `cursor`. `out` must outlive the feed.
  RideFeed(std::string rider_id, std::string ride_id, std::optional<std::int64_t> cursor, Out* out);

  // Call it once the bus subscription to RideTopic is active.
  void Begin();
  void OnRead(const absl::StatusOr<RideLog>& log);
  // From the bus: in any order, twice, or never. Events of other rides are ignored.
  void OnEvent(const RideEvent& event);
  // The sequence in the store, from the 2 s check or a heartbeat. Also retries a failed read.
  void OnStoreSequence(std::int64_t sequence);

  // The ride as last sent (the rider's view); nullptr before the first. For telemetry and command results.
  const Ride* ride() const { return ride_ ? &*ride_ : nullptr; }
  bool finished() const { return finished_; }

 private:
  void SendNext(const RideEvent& event) override;
  void ReadAfter(std::int64_t after) override;
  void GoOn(bool read_on);
  void FinishWith(const absl::Status& status);

  const std::string rider_id_;
  const std::string ride_id_;
  const std::optional<std::int64_t> cursor_;
  Out* const out_;
  bool finished_ = false;
  std::optional<Ride> ride_;
};

}  // namespace hail::rider
