// A driver's position and car, and the input and output types of a search for near drivers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "common/geo/position_order.h"

namespace hail::driver {

// One fix. The caller must check its validity (range, (0, 0), speed).
struct Fix {
  LatLng point;
  std::int64_t session_epoch = 0;
  // 0: the device does not count.
  std::uint64_t position_seq = 0;
  // Domain time: receipt − age.
  absl::Time observed = absl::InfinitePast();
  std::optional<float> speed_mps;
  std::optional<float> heading_deg;
  std::optional<float> accuracy_m;

  // The values that order the fix among the fixes of its driver.
  Observation observation() const { return {session_epoch, position_seq, observed, point}; }
};

// The requirements that a driver's car meets. Shared; never changed.
struct CarProfile {
  std::string region_id;
  std::vector<std::string> product_ids;
  int seats = 0;

  friend bool operator==(const CarProfile&, const CarProfile&) = default;
};

// The drivers that a search may return.
struct NearestFilter {
  // Empty: any.
  std::string region_id;
  // Empty: any.
  std::string product_id;
  // The minimum number of seats; 0: any.
  int seats = 0;
  // Fixes observed before this do not count (domain time).
  absl::Time fresh_after = absl::InfinitePast();
};

struct NearDriver {
  std::string driver_id;
  double distance_m = 0;
  Fix fix;
  std::shared_ptr<const CarProfile> car;
};

}  // namespace hail::driver
