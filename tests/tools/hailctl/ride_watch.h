// What a watcher of a ride remembers between messages and between streams.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "hail/rider/v1/rider_service.pb.h"

namespace hail::ctl {

// Follows one ride over as many streams as it takes. No I/O; not thread-safe.
class RideWatcher {
 public:
  RideWatcher(std::string rider_id, std::string ride_id, std::optional<std::int64_t> after);

  // What to open the next stream with: the cursor of what was received.
  hail::rider::v1::WatchRideRequest Open() const;

  // Takes the next message of a stream. The line to show, without a newline; empty for what people need not see.
  std::string OnMessage(const hail::rider::v1::WatchRideResponse& message);

  // The ride has ended and its final event was received: the state it ended in.
  std::optional<hail::type::v1::RideState> ended() const { return ended_; }

  // Set when the stream said that it is draining: how long to wait before the next one. Forgotten once asked.
  std::optional<absl::Duration> TakeRetryAfter();

 private:
  const std::string rider_id_;
  const std::string ride_id_;
  std::optional<std::int64_t> last_sequence_;
  std::optional<hail::type::v1::RideState> ended_;
  std::optional<absl::Duration> retry_after_;
};

}  // namespace hail::ctl
