#include "tests/tools/hail-sim/audit.h"

#include <algorithm>

namespace hail::sim {

namespace tpb = hail::type::v1;

bool HasDriver(tpb::RideState state) {
  return state == tpb::RIDE_STATE_ENROUTE_TO_PICKUP || state == tpb::RIDE_STATE_ARRIVED_AT_PICKUP ||
         state == tpb::RIDE_STATE_ENROUTE_TO_DROPOFF;
}

bool IsFinal(tpb::RideState state) {
  return state == tpb::RIDE_STATE_COMPLETED || state == tpb::RIDE_STATE_NO_DRIVERS_AVAILABLE ||
         state == tpb::RIDE_STATE_CANCELED;
}

bool EndsAssignment(tpb::RideEventType type) {
  return type == tpb::RIDE_EVENT_TYPE_COMPLETED || type == tpb::RIDE_EVENT_TYPE_REDISPATCHED ||
         type == tpb::RIDE_EVENT_TYPE_CANCELED || type == tpb::RIDE_EVENT_TYPE_UNFULFILLED;
}

void RiderAudit::Opened(std::optional<std::int64_t> cursor) { snapshot_due_ = !cursor.has_value(); }

void RiderAudit::Receive(const hail::rider::v1::WatchRideResponse& message) {
  using Message = hail::rider::v1::WatchRideResponse;
  switch (message.message_case()) {
    case Message::kSnapshot:
      Snapshot(message.snapshot().sequence());
      break;
    case Message::kEvent:
      Event(message.event().sequence());
      break;
    case Message::kCaughtUp:
      Reaches(message.caught_up().sequence());
      break;
    case Message::kStartOver:
      snapshot_due_ = true;
      break;
    default:
      break;
  }
}

void RiderAudit::Snapshot(std::int64_t sequence) {
  if (!snapshot_due_) ++violations_.protocol;
  if (last_ && sequence < *last_) ++violations_.out_of_order;
  snapshot_due_ = false;
  last_ = sequence;
}

void RiderAudit::Event(std::int64_t sequence) {
  if (snapshot_due_ || !last_) {
    ++violations_.protocol;
    last_ = sequence;
  } else if (sequence <= *last_) {
    ++(seen_.contains(sequence) ? violations_.duplicate : violations_.out_of_order);
  } else {
    violations_.missed += sequence - *last_ - 1;
    last_ = sequence;
  }
  seen_.insert(sequence);
}

void RiderAudit::Reaches(std::int64_t sequence) {
  if (!last_ || sequence <= *last_) return;
  violations_.missed += sequence - *last_;
  last_ = sequence;
}

void RiderAudit::Settle(std::int64_t sequence) { Reaches(sequence); }

void DriverAudit::Receive(const hail::driver::v1::StreamDriverResponse& message) {
  if (message.has_event()) {
    Event(message.event());
  } else if (message.has_snapshot()) {
    const tpb::Ride& ride = message.snapshot().ride();
    live_ride_ = ride.ride_id();
    if (ride.ride_id().empty()) return;
    Seen& seen = rides_[ride.ride_id()];
    if (ride.sequence() < seen.last) ++violations_.out_of_order;
    seen.last = std::max(seen.last, ride.sequence());
  }
}

void DriverAudit::Event(const tpb::RideEvent& event) {
  const auto [entry, first] = rides_.try_emplace(event.ride_id());
  Seen& seen = entry->second;
  if (!first && event.sequence() <= seen.last) {
    ++(seen.events.contains(event.sequence()) ? violations_.duplicate : violations_.out_of_order);
  } else {
    // A driver's part of a ride's log starts at an assignment; from there on it has no gap.
    if (!first && event.type() != tpb::RIDE_EVENT_TYPE_ASSIGNED) violations_.missed += event.sequence() - seen.last - 1;
    seen.last = event.sequence();
  }
  seen.events.insert(event.sequence());
  if (EndsAssignment(event.type())) {
    if (live_ride_ == event.ride_id()) live_ride_.clear();
  } else {
    if (!live_ride_.empty() && live_ride_ != event.ride_id()) ++violations_.double_booked;
    live_ride_ = event.ride_id();
  }
}

void AssignmentAudit::OnRide(const tpb::Ride& ride, const std::string& driver_id) {
  if (!HasDriver(ride.state())) return;
  const std::string& driver = ride.driver().driver_id().empty() ? driver_id : ride.driver().driver_id();
  const auto [entry, first] = drivers_.try_emplace({ride.ride_id(), ride.epoch()}, driver);
  if (!first && entry->second != driver) ++violations_.double_booked;
}

}  // namespace hail::sim
