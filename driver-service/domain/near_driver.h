// A driver's position and car, and what a search for near drivers asks and answers.
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

// One fix. Validity (range, zero island, speed) is the caller's to check.
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

  // What orders it among the fixes of its driver.
  Observation observation() const { return {session_epoch, position_seq, observed, point}; }
};

// What a driver can be asked for. Shared; never changed.
struct CarProfile {
  std::string region_id;
  std::vector<std::string> product_ids;
  int seats = 0;

  friend bool operator==(const CarProfile&, const CarProfile&) = default;
};

// Which drivers count.
struct NearestFilter {
  // Empty: any.
  std::string region_id;
  // Empty: any.
  std::string product_id;
  // At least so many; 0: any.
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
