// A driver's view of a ride from rider-service: the few fields that driver-service needs for decisions, and the
// contract's bytes, which it passes on without decoding.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/geo/lat_lng.h"

namespace hail::driver {

// The last event that a driver's app has received.
struct RideCursor {
  std::string ride_id;
  std::int64_t sequence = 0;

  friend bool operator==(const RideCursor&, const RideCursor&) = default;
};

struct RideView {
  std::string ride_id;
  std::int64_t sequence = 0;
  std::int64_t epoch = 0;
  // The accepted offer of the assignment that this view belongs to.
  std::string offer_id;
  // Whether the driver is assigned: on the way to the pickup, at it, or on the way to the drop-off.
  bool live = false;
  // 0: heading for the pickup, 1: for the drop-off.
  int leg = 0;
  LatLng pickup;
  LatLng dropoff;
  // A hail.type.v1.Ride.
  std::shared_ptr<const std::string> encoded;
};

// Shared by all views of the ride; never changes.
using RideRef = std::shared_ptr<const RideView>;

struct RideEventView {
  // The ride after the event, with the event's ride_id and sequence.
  RideRef ride;
  // A hail.type.v1.RideEvent.
  std::shared_ptr<const std::string> encoded;
};

// The answer to a feed subscription. rider-service also sends it whenever its feed had to start over.
struct FeedSnapshot {
  std::string driver_id;
  // As passed to Effects::FeedSubscribe.
  std::int64_t subscription = 0;
  std::vector<RideEventView> missed;
  bool reset = false;
  // The driver's live ride; null: none.
  RideRef ride;
};

struct FeedEvent {
  std::string driver_id;
  std::int64_t subscription = 0;
  RideEventView event;
  // Whether the event ends this driver's assignment.
  bool ended = false;
};

}  // namespace hail::driver
