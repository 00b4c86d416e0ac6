// The state of a ride's watcher, kept between messages and between streams.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "hail/rider/v1/rider_service.pb.h"

namespace hail::ctl {

// Follows one ride over any number of streams. No I/O; not thread-safe.
class RideWatcher {
 public:
  RideWatcher(std::string rider_id, std::string ride_id, std::optional<std::int64_t> after);

  // The request for the next stream: it has the cursor of the last received event.
  hail::rider::v1::WatchRideRequest Open() const;

  // Handles the next message of a stream. Returns the line to show, without a newline; empty for messages without
  // output.
  std::string OnMessage(const hail::rider::v1::WatchRideResponse& message);

  // The final state, once the final event of the ride was received.
  std::optional<hail::type::v1::RideState> ended() const { return ended_; }

  // Set when the stream sent `draining`: the wait before the next stream. Reading it clears it.
  std::optional<absl::Duration> TakeRetryAfter();

 private:
  const std::string rider_id_;
  const std::string ride_id_;
  std::optional<std::int64_t> last_sequence_;
  std::optional<hail::type::v1::RideState> ended_;
  std::optional<absl::Duration> retry_after_;
};

}  // namespace hail::ctl
