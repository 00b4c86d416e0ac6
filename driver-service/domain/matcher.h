// Decides which waiting ride is offered to which driver.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "driver-service/domain/location_index.h"

namespace hail::driver {

// A ride that can be offered now.
struct WaitingRide {
  std::string ride_id;
  LatLng pickup;
  // The present search radius.
  double radius_m = 0;
  // The `limit` nearest drivers who can be offered this ride, within radius_m, nearest first.
  std::function<std::vector<NearDriver>(std::size_t limit)> candidates;
  // The time of each of them to the pickup, in the given order.
  std::function<std::vector<absl::Duration>(const std::vector<NearDriver>&)> pickup_times;
  // Time since this dispatch of the ride began (domain).
  absl::Duration waited = absl::ZeroDuration();
};

struct Proposal {
  // Index into the given rides.
  std::size_t ride = 0;
  NearDriver driver;
};

// No state, no randomness: the same input gives the same proposals. At most one proposal per ride and per driver.
class Matcher {
 public:
  virtual ~Matcher() = default;
  // `rides` are in order of precedence.
  virtual std::vector<Proposal> Match(const std::vector<WaitingRide>& rides) const = 0;
};

// Each ride in turn takes the nearest driver that no earlier ride took.
class NearestFirstMatcher final : public Matcher {
 public:
  std::vector<Proposal> Match(const std::vector<WaitingRide>& rides) const override;
};

}  // namespace hail::driver
