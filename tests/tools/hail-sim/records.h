// The recorded days that can be replayed: trips, traces, and records known to be broken.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::sim {

// A ride somebody wants.
struct Trip {
  std::string trip_id;
  absl::Time request_time;
  LatLng pickup;
  LatLng dropoff;
  // From pickup to drop-off, where known.
  std::optional<absl::Duration> duration;
  int seats = 1;
};

// Where a car first shows up.
struct Start {
  std::string taxi_id;
  LatLng position;
};

// A record that was thrown out of a published data set.
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
// two may be blank. Trips requested in `window`, by time. Where nine times in ten are whole minutes those are rounded:
// each of them is moved by up to a minute, by `seed`.
absl::StatusOr<std::vector<Trip>> ReadTrips(const std::string& path, const Window& window, std::uint64_t seed);

// Columns time_utc, taxi_id, lat, lon, sorted by time: where each taxi is first seen in `window`, in that order.
absl::StatusOr<std::vector<Start>> ReadStarts(const std::string& path, const Window& window);

// Columns why, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon.
absl::StatusOr<std::vector<Reject>> ReadRejects(const std::string& path);

}  // namespace hail::sim
