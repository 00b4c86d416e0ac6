// driver-service's configuration keys.
#pragma once

#include <string>

#include "common/config/schema.h"
#include "common/config/service_keys.h"
#include "driver-service/domain/dispatch.h"

namespace hail::driver {

struct DriverOptions {
  config::ServiceSettings service;
  // Whether drivers may register themselves.
  bool drivers_register = false;
  // The peer's internal address.
  std::string rider_service;
  DispatchOptions dispatch;
  // In the format of ReadRoadGraphs.
  std::string road_graphs;
};

config::Schema DriverSchema();

// `values` must come from DriverSchema().
DriverOptions ReadDriverOptions(const config::Values& values);

}  // namespace hail::driver
