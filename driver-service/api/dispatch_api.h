// hail.internal.v1.DispatchService, as rider-service calls it.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/travel_times.h"
#include "hail/internal/v1/dispatch_service.pb.h"

namespace hail::driver {

// SearchDrivers: INVALID_FIELD for what is out of range. `now` is domain time.
absl::StatusOr<internal::v1::SearchDriversResponse> SearchDrivers(const CarSearch& search,
                                                                  const TravelTimes& travel_times, absl::Time now,
                                                                  const internal::v1::SearchDriversRequest& request);

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
