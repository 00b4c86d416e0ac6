// hail.internal.v1.DispatchService, called by rider-service over any transport.
#pragma once

#include <cstddef>
#include <memory>
#include <tuple>

#include "common/rpc/methods.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/domain/car_search.h"
#include "driver-service/domain/travel_times.h"
#include "hail/internal/v1/dispatch_service.pb.h"

namespace hail::driver {

// Thread-safe.
class DispatchService final {
 public:
  // One message may go out for each ride at once; the link must survive such a burst.
  static constexpr std::size_t kLinkQueue = 100'000;

  static constexpr char kName[] = "hail.internal.v1.DispatchService";
  static constexpr auto Methods() {
    constexpr rpc::Roles kRiderService = {auth::Role::kRiderService};
    return std::tuple(rpc::Unary("SearchDrivers", &DispatchService::SearchDrivers, {.roles = kRiderService}),
                      rpc::Bidi("Dispatch", &DispatchService::Dispatch, {.roles = kRiderService},
                                {.queue = kLinkQueue, .ages = false, .greets = true}));
  }

  // All must outlive every call.
  struct Ports {
    const Clock* clock = nullptr;
    DispatchHost* host = nullptr;
    const CarSearch* search = nullptr;
    const TravelTimes* travel_times = nullptr;
  };
  explicit DispatchService(const Ports& ports) : ports_(ports) {}

  // INVALID_FIELD if a field is out of range.
  void SearchDrivers(const rpc::CallContext& call, const internal::v1::SearchDriversRequest& request,
                     Done<internal::v1::SearchDriversResponse> done);
  std::shared_ptr<rpc::InboundSession<internal::v1::DispatchRequest>> Dispatch(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<internal::v1::DispatchResponse>> sink);

 private:
  const Ports ports_;
};

}  // namespace hail::driver
