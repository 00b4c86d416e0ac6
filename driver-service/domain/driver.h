// A driver in driver-service's store: identity, car, products.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hail::driver {

// A car. Limits as in the contract; see CheckDriver.
struct Vehicle {
  std::string make;
  std::string model;
  std::string color;
  std::string plate;
  int seats = 0;

  friend bool operator==(const Vehicle&, const Vehicle&) = default;
};

struct Driver {
  std::string driver_id;
  std::string display_name;
  std::string region_id;
  Vehicle vehicle;
  // The products that the car serves; no duplicates, in the caller's order.
  std::vector<std::string> product_ids;
  // Domain time.
  absl::Time create_time = absl::UnixEpoch();
  absl::Time update_time = absl::UnixEpoch();
  // The store increments it with each change of the driver's row, including the desired availability: of two copies,
  // the one with the higher version is newer.
  std::int64_t version = 0;
};

// Whether a driver wants rides. Durable.
enum class Availability { kOffline, kOnline };

// INVALID_FIELD naming the first invalid field, with `prefix` in front ("driver" gives "driver.vehicle.plate").
absl::Status CheckDriver(const Driver& driver, const std::string& prefix);

// A plate normalized for comparison: ASCII letters in upper case, other ASCII characters than letters and digits
// removed, all other characters unchanged. "TWIN 001" and "twin-001" are one plate.
std::string NormalPlate(std::string_view plate);

// PLATE_IN_USE.
absl::Status PlateInUse();

// Whether two drivers were registered with the same body: everything except the times and the version.
bool SameProfile(const Driver& a, const Driver& b);

}  // namespace hail::driver
