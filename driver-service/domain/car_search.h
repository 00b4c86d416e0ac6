// Searches the cars that a ride can get.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "driver-service/domain/location_index.h"

namespace hail::driver {

// A ride's requirements for a car.
struct RideNeeds {
  LatLng pickup;
  // Empty: any, for a caller who does not know the region yet.
  std::string region_id;
  std::string product_id;
  // 0: any.
  int seats = 0;
};

// The one search for cars, used by dispatch, the map and a quote's pickup time, so that apps show only cars that a ride
// could get. Thread-safe, like the index.
class CarSearch {
 public:
  // `index` must outlive it. Positions older than `freshness` (domain time), and cars further away than `radius_max_m`,
  // never count.
  CarSearch(const LocationIndex& index, absl::Duration freshness, double radius_max_m)
      : index_(index), freshness_(freshness), radius_max_m_(radius_max_m) {}

  // The `limit` nearest cars of drivers who can be offered rides, nearest first. `now` is domain time. Drivers that
  // `accept` refuses are skipped.
  std::vector<NearDriver> Nearest(absl::Time now, const RideNeeds& needs, double radius_m, std::size_t limit,
                                  absl::FunctionRef<bool(const std::string& driver_id)> accept) const;
  std::vector<NearDriver> Nearest(absl::Time now, const RideNeeds& needs, double radius_m, std::size_t limit) const;

 private:
  const LocationIndex& index_;
  const absl::Duration freshness_;
  const double radius_max_m_;
};

}  // namespace hail::driver
