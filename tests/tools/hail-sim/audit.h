// The guarantees to clients, checked at each message on receipt.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "hail/driver/v1/driver_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"

namespace hail::sim {

// The number of broken guarantees so far.
struct Violations {
  std::int64_t out_of_order = 0;
  std::int64_t duplicate = 0;
  std::int64_t missed = 0;
  std::int64_t double_booked = 0;
  // A message that the contract does not allow there: a snapshot out of turn, an event before a snapshot.
  std::int64_t protocol = 0;
};

// One ride as its rider sees it: every event once, in order, without a gap, across any number of streams.
class RiderAudit {
 public:
  explicit RiderAudit(Violations& violations) : violations_(violations) {}

  // A stream was opened, with or without a cursor.
  void Opened(std::optional<std::int64_t> cursor);
  void Receive(const hail::rider::v1::WatchRideResponse& message);
  // The result of GetRide at the end of the run.
  void Settle(std::int64_t sequence);

 private:
  void Snapshot(std::int64_t sequence);
  void Event(std::int64_t sequence);
  void Reaches(std::int64_t sequence);

  Violations& violations_;
  bool snapshot_due_ = true;
  std::optional<std::int64_t> last_;
  std::set<std::int64_t> seen_;
};

// One driver's streams: a ride's events in order and without repeats, without a gap between messages that are all
// events, and never a second live ride.
class DriverAudit {
 public:
  explicit DriverAudit(Violations& violations) : violations_(violations) {}

  void Receive(const hail::driver::v1::StreamDriverResponse& message);
  // The driver's current ride, by the stream. Empty: none.
  const std::string& live_ride() const { return live_ride_; }

 private:
  struct Seen {
    std::int64_t last = 0;
    std::set<std::int64_t> events;
  };

  void Event(const hail::type::v1::RideEvent& event);

  Violations& violations_;
  std::map<std::string, Seen> rides_;
  std::string live_ride_;
};

// Checks that all clients see the same driver for each (ride, epoch).
class AssignmentAudit {
 public:
  explicit AssignmentAudit(Violations& violations) : violations_(violations) {}

  // Somebody was shown `ride`; a ride without a driver is ignored. `driver_id` is for rides shown to a driver, because
  // they may lack the driver's own name.
  void OnRide(const hail::type::v1::Ride& ride, const std::string& driver_id = {});

 private:
  Violations& violations_;
  std::map<std::pair<std::string, std::int64_t>, std::string> drivers_;
};

// Whether a ride in this state has a driver.
bool HasDriver(hail::type::v1::RideState state);
// Whether the state is final.
bool IsFinal(hail::type::v1::RideState state);
// Whether an event of this type ends the assignment of the driver who receives it.
bool EndsAssignment(hail::type::v1::RideEventType type);

}  // namespace hail::sim
