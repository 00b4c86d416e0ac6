// What rider-service can be told.
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

// All keys of rider-service, those it shares with the other service included.
config::Schema RiderSchema();

struct RiderOptions {
  config::ServiceSettings service;
  // driver-service's internal address.
  std::string driver_service;
  // Empty: the shipped regions.
  std::string regions_file;
  // Those of them that are served; empty: all.
  std::vector<std::string> regions;
  RideRules rules;
  absl::Duration quote_valid_for;  // domain time
  absl::Duration search_timeout;   // wall time, as the next two
  absl::Duration feed_check;
  std::size_t max_calls = 0;
  std::size_t max_streams = 0;
  int store_readers = 0;
};

// `values` must come from RiderSchema().
RiderOptions ReadRiderOptions(const config::Values& values);

// The regions of `options.regions_file`, or the shipped ones if that is empty, as far as they are served. The error
// lists every problem, with the key's name.
absl::StatusOr<Regions> LoadRegions(const RiderOptions& options);

}  // namespace hail::rider
