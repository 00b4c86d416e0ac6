// A ride as rider-service tells it to a driver: the few fields driver-service decides on, and the contract's bytes,
// which it passes on unread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/geo/lat_lng.h"

namespace hail::driver {

// How far a driver's app has come in what it was sent.
struct RideCursor {
  std::string ride_id;
  std::int64_t sequence = 0;

  friend bool operator==(const RideCursor&, const RideCursor&) = default;
};

struct RideView {
  std::string ride_id;
  std::int64_t sequence = 0;
  std::int64_t epoch = 0;
  // The accepted offer behind the assignment this view is of.
  std::string offer_id;
  // It is the driver's: on the way to the pickup, at it, or to the drop-off.
  bool live = false;
  // 0: heading for the pickup, 1: for the drop-off.
  int leg = 0;
  LatLng pickup;
  LatLng dropoff;
  // A hail.type.v1.Ride.
  std::shared_ptr<const std::string> encoded;
};

// Shared by all that show the ride; never changed.
using RideRef = std::shared_ptr<const RideView>;

struct RideEventView {
  // After the event; its ride_id and sequence are the event's.
  RideRef ride;
  // A hail.type.v1.RideEvent.
  std::shared_ptr<const std::string> encoded;
};

// Answer to a feed subscription, and sent again by rider-service whenever its feed had to start over.
struct FeedSnapshot {
  std::string driver_id;
  // As passed to Effects::FeedSubscribe.
  std::int64_t subscription = 0;
  std::vector<RideEventView> missed;
  bool reset = false;
  // The ride in hand; null: none.
  RideRef ride;
};

struct FeedEvent {
  std::string driver_id;
  std::int64_t subscription = 0;
  RideEventView event;
  // The ride is no longer this driver's after it.
  bool ended = false;
};

}  // namespace hail::driver
