// Recorded days for replay: trips, traces, and known broken records.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::sim {

// A requested ride.
struct Trip {
  std::string trip_id;
  absl::Time request_time;
  LatLng pickup;
  LatLng dropoff;
  // From pickup to drop-off, if known.
  std::optional<absl::Duration> duration;
  int seats = 1;
};

// The first recorded position of a car.
struct Start {
  std::string taxi_id;
  LatLng position;
};

// A record that was removed from a published data set.
struct Reject {
  std::string why;
  LatLng pickup;
  LatLng dropoff;
};

// A span of time, [from, to).
struct Window {
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();

  bool Contains(absl::Time time) const { return from <= time && time < to; }
};

// Columns trip_id, request_time_utc, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, passengers, duration_s; the last
// two may be blank. Returns the trips requested in `window`, sorted by time. If nine in ten times are whole minutes,
// those times are rounded: `seed` draws a shift of up to a minute for each of them.
absl::StatusOr<std::vector<Trip>> ReadTrips(const std::string& path, const Window& window, std::uint64_t seed);

// Columns time_utc, taxi_id, lat, lon, sorted by time. Returns the first position of each taxi in `window`, in that
// order.
absl::StatusOr<std::vector<Start>> ReadStarts(const std::string& path, const Window& window);

// Columns why, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon.
absl::StatusOr<std::vector<Reject>> ReadRejects(const std::string& path);

}  // namespace hail::sim
