// The configuration of rider-service.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/schema.h"
#include "common/config/service_keys.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// All keys of rider-service, including those that both services share.
config::Schema RiderSchema();

struct RiderOptions {
  config::ServiceSettings service;
  // driver-service's internal address.
  std::string driver_service;
  // Empty: the shipped regions.
  std::string regions_file;
  // The served regions; empty: all.
  std::vector<std::string> regions;
  RideRules rules;
  absl::Duration quote_valid_for;  // domain time
  absl::Duration search_timeout;   // wall time, as the next three
  absl::Duration feed_check;
  absl::Duration keep_rides;
  std::size_t max_calls = 0;
  std::size_t max_streams = 0;
  int store_readers = 0;
};

// `values` must come from RiderSchema().
RiderOptions ReadRiderOptions(const config::Values& values);

// The served regions of `options.regions_file`, or of the shipped regions if that is empty. The error lists every
// problem, with the key's name.
absl::StatusOr<Regions> LoadRegions(const RiderOptions& options);

}  // namespace hail::rider
