// hail.internal.v1.DispatchService, as rider-service calls it.
#pragma once

#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

class DispatchApi final : public rpc::Service {
 public:
  // All must outlive the server. Positions older than `freshness` (domain time) are not found.
  DispatchApi(rpc::Gate& gate, const Clock& clock, DispatchHost& host, const LocationIndex& index,
              const TravelTimes& travel_times, absl::Duration freshness);

 private:
  const Clock& clock_;
  DispatchHost& host_;
  const LocationIndex& index_;
  const TravelTimes& travel_times_;
  const absl::Duration freshness_;
};

}  // namespace hail::driver
