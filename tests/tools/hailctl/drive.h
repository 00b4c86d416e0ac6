// A driver at the wheel: the answers of `hailctl driver drive` to each message, and the movement of the car.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::ctl {

struct DriveOptions {
  std::string driver_id;
  // The car's first position.
  LatLng start;
  // Accept offers and drive the rides; otherwise only display them and acknowledge the display.
  bool accept = false;
  // Metres per second along the straight line, above 0 and at most 85.
  double speed_mps = 11;
  // From the arrival until the rider is on board.
  absl::Duration boarding = absl::Seconds(3);
};

// Keeps the driver's session over any number of streams. The next step follows from the latest state of the ride, so a
// command lost with a stream is sent again on the next one. No I/O; not thread-safe.
class DriveSession {
 public:
  using Requests = std::vector<hail::driver::v1::StreamDriverRequest>;
  // Receives each line of text output.
  using Say = std::function<void(const std::string&)>;

  DriveSession(DriveOptions options, Say say);

  // The first messages of a new stream: open with the cursor, online, the position.
  Requests Open(absl::Time now);
  // Handles a message of the stream; returns the messages to send.
  Requests OnMessage(const hail::driver::v1::StreamDriverResponse& message, absl::Time now);
  // Moves the car; call it about once a second. Returns the messages to send: a position, and the step that is due.
  Requests OnTick(absl::Time now);
  // Asks for no more offers.
  Requests GoOffline();

  // A newer stream of the same driver took over: do not open another stream.
  bool replaced() const { return replaced_; }
  // Set when the stream sent `draining`: the wait before the next stream. Reading it clears it.
  std::optional<absl::Duration> TakeRetryAfter();
  bool has_ride() const { return ride_.has_value(); }
  int completed() const { return completed_; }
  const LatLng& position() const { return position_; }

 private:
  hail::driver::v1::StreamDriverRequest Command();
  hail::driver::v1::StreamDriverRequest Step(absl::Time now);
  hail::driver::v1::StreamDriverRequest Location() const;
  void SayStatus(const hail::driver::v1::DriverState& state);
  // Prints the state unless it equals the last one printed.
  void SayChange(const hail::driver::v1::DriverState& state);
  void OnOffer(const hail::driver::v1::Offer& offer, Requests& requests);
  void OnRide(const hail::type::v1::Ride& ride, absl::Time now);
  // Adds the command that the ride's state and the car's position call for, unless one is unanswered.
  void AddDueStep(absl::Time now, Requests& requests);
  // The destination of the present leg; nullopt without a ride in motion.
  std::optional<LatLng> Target() const;

  const DriveOptions options_;
  const Say say_;
  // The id of this run of the command, and its number of opened sessions.
  const std::string incarnation_id_;
  std::int64_t openings_ = 0;
  LatLng position_;
  float heading_deg_ = 0;
  std::uint64_t position_seq_ = 0;
  std::optional<absl::Time> moved_;
  std::optional<hail::type::v1::Ride> ride_;
  // When the present state of the ride was received.
  absl::Time state_since_;
  hail::type::v1::Cursor cursor_;
  hail::driver::v1::DriverStatus said_status_ = hail::driver::v1::DRIVER_STATUS_UNSPECIFIED;
  hail::driver::v1::BlockedBy said_blocked_by_ = hail::driver::v1::BLOCKED_BY_UNSPECIFIED;
  std::uint64_t last_command_ = 0;
  // The trip step that was sent on this stream and not answered yet.
  std::string pending_step_;
  bool replaced_ = false;
  std::optional<absl::Duration> retry_after_;
  int completed_ = 0;
};

}  // namespace hail::ctl
