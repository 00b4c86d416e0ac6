// hail.internal.v1.DispatchService, as rider-service calls it.
#pragma once

#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

class DispatchApi final : public rpc::Service {
 public:
  // All must outlive the server.
  DispatchApi(rpc::Gate& gate, const Clock& clock, DispatchHost& host, const CarSearch& search,
              const TravelTimes& travel_times);

 private:
  const Clock& clock_;
  DispatchHost& host_;
  const CarSearch& search_;
  const TravelTimes& travel_times_;
};

}  // namespace hail::driver
