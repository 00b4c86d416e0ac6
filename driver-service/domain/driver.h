// A driver as driver-service's store knows it: who, with which car, for which products.
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
  // What the car can be ordered as; no doubles, in the caller's order.
  std::vector<std::string> product_ids;
  // Domain time.
  absl::Time create_time = absl::UnixEpoch();
  absl::Time update_time = absl::UnixEpoch();
  // Rises with each change that the store makes to what it keeps of the driver, the desired availability included: of
  // two copies the one with the higher version is the newer. The store's to set.
  std::int64_t version = 0;
};

// Whether a driver wants rides. Durable.
enum class Availability { kOffline, kOnline };

// INVALID_FIELD naming the first field at fault, its path starting at `prefix` ("driver" gives "driver.vehicle.plate").
absl::Status CheckDriver(const Driver& driver, const std::string& prefix);

// A plate as it is compared: ASCII letters in upper case, other ASCII characters than letters and digits left out, all
// else as it is. "TWIN 001" and "twin-001" are one plate.
std::string NormalPlate(std::string_view plate);

// PLATE_IN_USE.
absl::Status PlateInUse();

// Whether two drivers were registered with the same body: all but the times and the version.
bool SameProfile(const Driver& a, const Driver& b);

}  // namespace hail::driver
