// Registers drivers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"

namespace hail::load {

// Registers all drivers, in San Francisco and for "economy", over `stubs` in turn. UNAVAILABLE if one registration
// failed.
absl::Status RegisterDrivers(const std::vector<std::unique_ptr<hail::driver::v1::DriverService::Stub>>& stubs,
                             const std::vector<std::string>& driver_ids);

}  // namespace hail::load
