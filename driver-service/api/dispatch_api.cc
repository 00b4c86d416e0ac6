#include "driver-service/api/dispatch_api.h"

#include <memory>

#include "common/errors/error.h"
#include "driver-service/api/dispatch_link.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/domain/seen_cars.h"
#include "hail/internal/v1/dispatch_service.grpc.pb.h"

namespace hail::driver {
namespace {

constexpr double kMaxSearchRadiusM = 100'000;
constexpr int kMaxFound = 200;
// One message for each ride in its turn; the link must outlast a burst.
constexpr std::size_t kLinkQueue = 100'000;

absl::Status CheckSearch(const internal::v1::SearchDriversRequest& request) {
  const LatLng position{request.position().latitude_deg(), request.position().longitude_deg()};
  if (absl::Status status = CheckLatLng(position, "position"); !status.ok()) return status;
  // Written so that NaN fails.
  if (!(request.radius_m() > 0 && request.radius_m() <= kMaxSearchRadiusM)) {
    return InvalidField("radius_m", "must be above 0 and at most 100000");
  }
  if (request.limit() < 1 || request.limit() > kMaxFound) return InvalidField("limit", "must be from 1 to 200");
  if (request.seats() < 0) return InvalidField("seats", "must not be negative");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<internal::v1::SearchDriversResponse> SearchDrivers(const CarSearch& search,
                                                                  const TravelTimes& travel_times, absl::Time now,
                                                                  const internal::v1::SearchDriversRequest& request) {
  if (absl::Status status = CheckSearch(request); !status.ok()) return status;
  const LatLng position{request.position().latitude_deg(), request.position().longitude_deg()};
  const RideNeeds needs{position, request.region_id(), request.product_id(), request.seats()};
  internal::v1::SearchDriversResponse response;
  for (const SeenCar& car :
       CarsSeen(search, travel_times, now, needs, request.radius_m(), static_cast<std::size_t>(request.limit()))) {
    *response.add_drivers() = ToProto(car);
  }
  return response;
}

DispatchApi::DispatchApi(rpc::Gate& gate, const Clock& clock, DispatchHost& host, const CarSearch& search,
                         const TravelTimes& travel_times)
    : rpc::Service(&gate, internal::v1::DispatchService::service_full_name()),
      clock_(clock),
      host_(host),
      search_(search),
      travel_times_(travel_times) {
  Unary<internal::v1::SearchDriversRequest, internal::v1::SearchDriversResponse>("SearchDrivers", [this](auto call) {
    call->Finish(SearchDrivers(search_, travel_times_, clock_.Read().domain, call->request()));
  });

  Bidi<internal::v1::DispatchRequest, internal::v1::DispatchResponse>(
      "Dispatch", {.queue = kLinkQueue, .ages = false, .greets = true}, [this](auto outbox, const rpc::CallContext&) {
        return std::make_shared<DispatchLink>(host_, std::move(outbox));
      });
}

}  // namespace hail::driver
