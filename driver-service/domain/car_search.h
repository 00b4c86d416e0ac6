// Which cars a ride can be given.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "driver-service/domain/location_index.h"

namespace hail::driver {

// What a ride asks of a car.
struct RideNeeds {
  LatLng pickup;
  // Empty: any, as somebody asks who does not know yet.
  std::string region_id;
  std::string product_id;
  // 0: any.
  int seats = 0;
};

// The one search for cars: dispatch, the map and a quote's pickup time ask by it, so that nobody is shown a car that a
// ride could not be given. Thread-safe, as the index is.
class CarSearch {
 public:
  // `index` must outlive it. Positions older than `freshness` (domain time) do not count, nor do cars further off than
  // `radius_max_m`, whoever asks.
  CarSearch(const LocationIndex& index, absl::Duration freshness, double radius_max_m)
      : index_(index), freshness_(freshness), radius_max_m_(radius_max_m) {}

  // The `limit` nearest cars of drivers who can be offered rides, nearest first. `now` is domain time. Of those whom
  // `accept` refuses none is taken.
  std::vector<NearDriver> Nearest(absl::Time now, const RideNeeds& needs, double radius_m, std::size_t limit,
                                  absl::FunctionRef<bool(const std::string& driver_id)> accept) const;
  std::vector<NearDriver> Nearest(absl::Time now, const RideNeeds& needs, double radius_m, std::size_t limit) const;

 private:
  const LocationIndex& index_;
  const absl::Duration freshness_;
  const double radius_max_m_;
};

}  // namespace hail::driver
