// hail.internal.v1.DispatchService, as rider-service calls it.
#pragma once

#include "common/rpc/gate.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/travel_times.h"
#include "hail/internal/v1/dispatch_service.grpc.pb.h"

namespace hail::driver {

class DispatchApi final : public internal::v1::DispatchService::CallbackService {
 public:
  // All must outlive the server.
  DispatchApi(rpc::Gate& gate, const Clock& clock, DispatchHost& host, const CarSearch& search,
              const TravelTimes& travel_times)
      : gate_(gate), clock_(clock), host_(host), search_(search), travel_times_(travel_times) {}

  grpc::ServerBidiReactor<internal::v1::DispatchRequest, internal::v1::DispatchResponse>* Dispatch(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* SearchDrivers(grpc::CallbackServerContext* context,
                                          const internal::v1::SearchDriversRequest* request,
                                          internal::v1::SearchDriversResponse* response) override;

 private:
  rpc::Gate& gate_;
  const Clock& clock_;
  DispatchHost& host_;
  const CarSearch& search_;
  const TravelTimes& travel_times_;
};

}  // namespace hail::driver
