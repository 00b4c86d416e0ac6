// A driver at the wheel: what `hailctl driver drive` answers to each message, and how the car moves.
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
  // Where the car stands at first.
  LatLng start;
  // Accept offers and drive the rides; else only show them, and that they were shown.
  bool accept = false;
  // Metres per second along the straight line, above 0 and at most 85.
  double speed_mps = 11;
  // From the arrival until the rider is on board.
  absl::Duration boarding = absl::Seconds(3);
};

// Keeps the driver's session over as many streams as it takes: what to do next follows from the latest state of the
// ride, so that a command lost with a stream is sent again on the next one. No I/O; not thread-safe.
class DriveSession {
 public:
  using Requests = std::vector<hail::driver::v1::StreamDriverRequest>;
  // Gets each line for people.
  using Say = std::function<void(const std::string&)>;

  DriveSession(DriveOptions options, Say say);

  // The first messages of a new stream: open with the cursor, online, where the car is.
  Requests Open(absl::Time now);
  // Takes a message of the stream; what to send.
  Requests OnMessage(const hail::driver::v1::StreamDriverResponse& message, absl::Time now);
  // Moves the car; call about once a second. What to send: a position, and the step that is due.
  Requests OnTick(absl::Time now);
  // Asks to be offered nothing more.
  Requests GoOffline();

  // A newer stream of the same driver took over: do not open another.
  bool replaced() const { return replaced_; }
  // Set when the stream said that it is draining: how long to wait before the next one. Forgotten once asked.
  std::optional<absl::Duration> TakeRetryAfter();
  bool has_ride() const { return ride_.has_value(); }
  int completed() const { return completed_; }
  const LatLng& position() const { return position_; }

 private:
  hail::driver::v1::StreamDriverRequest Command();
  hail::driver::v1::StreamDriverRequest Step(absl::Time now);
  hail::driver::v1::StreamDriverRequest Location() const;
  void SayStatus(const hail::driver::v1::DriverState& state);
  // Unless that is what was said last.
  void SayChange(const hail::driver::v1::DriverState& state);
  void OnOffer(const hail::driver::v1::Offer& offer, Requests& requests);
  void OnRide(const hail::type::v1::Ride& ride, absl::Time now);
  // Adds the command that the ride's state and the car's position call for, unless one is unanswered.
  void AddDueStep(absl::Time now, Requests& requests);
  // Where the present leg ends; nullopt without a ride on the move.
  std::optional<LatLng> Target() const;

  const DriveOptions options_;
  const Say say_;
  // This run of the command, and how many sessions it has opened.
  const std::string incarnation_id_;
  std::int64_t openings_ = 0;
  LatLng position_;
  float heading_deg_ = 0;
  std::uint64_t position_seq_ = 0;
  std::optional<absl::Time> moved_;
  std::optional<hail::type::v1::Ride> ride_;
  // When the present state of the ride was heard.
  absl::Time state_since_;
  hail::type::v1::Cursor cursor_;
  hail::driver::v1::DriverStatus said_status_ = hail::driver::v1::DRIVER_STATUS_UNSPECIFIED;
  hail::driver::v1::BlockedBy said_blocked_by_ = hail::driver::v1::BLOCKED_BY_UNSPECIFIED;
  std::uint64_t last_command_ = 0;
  // The trip step that was sent and not answered on this stream.
  std::string pending_step_;
  bool replaced_ = false;
  std::optional<absl::Duration> retry_after_;
  int completed_ = 0;
};

}  // namespace hail::ctl
