// Which waiting ride is offered to which driver.
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
  // How far to look now.
  double radius_m = 0;
  // The `limit` nearest drivers who can be offered this ride, within radius_m, nearest first.
  std::function<std::vector<NearDriver>(std::size_t limit)> candidates;
  // How long each of them would take to the pickup, in the order given.
  std::function<std::vector<absl::Duration>(const std::vector<NearDriver>&)> pickup_times;
  // Since this dispatch of the ride began (domain).
  absl::Duration waited = absl::ZeroDuration();
};

struct Proposal {
  // Index into the rides given.
  std::size_t ride = 0;
  NearDriver driver;
};

// No state, no randomness: the same input gives the same proposals. At most one proposal a ride and one a driver.
class Matcher {
 public:
  virtual ~Matcher() = default;
  // `rides` are in order of precedence.
  virtual std::vector<Proposal> Match(const std::vector<WaitingRide>& rides) const = 0;
};

// Each ride in turn takes the nearest driver whom no ride before it took.
class NearestFirstMatcher final : public Matcher {
 public:
  std::vector<Proposal> Match(const std::vector<WaitingRide>& rides) const override;
};

}  // namespace hail::driver
