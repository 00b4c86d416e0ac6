#include "driver-service/api/dispatch_api.h"

#include <memory>

#include "common/errors/error.h"
#include "common/rpc/bidi_stream.h"
#include "common/rpc/unary.h"
#include "driver-service/api/dispatch_link.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/domain/seen_cars.h"

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

grpc::ServerBidiReactor<internal::v1::DispatchRequest, internal::v1::DispatchResponse>* DispatchApi::Dispatch(
    grpc::CallbackServerContext* context) {
  return rpc::ServeBidi<internal::v1::DispatchRequest, internal::v1::DispatchResponse>(
      &gate_, context, "Dispatch", {.queue = kLinkQueue, .ages = false},
      [this](auto outbox, const rpc::CallInfo&) { return std::make_shared<DispatchLink>(host_, std::move(outbox)); });
}

grpc::ServerUnaryReactor* DispatchApi::SearchDrivers(grpc::CallbackServerContext* context,
                                                     const internal::v1::SearchDriversRequest* request,
                                                     internal::v1::SearchDriversResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "SearchDrivers", [this](auto call) {
    const internal::v1::SearchDriversRequest& search = call->request();
    if (absl::Status status = CheckSearch(search); !status.ok()) return call->Finish(status);
    const absl::Time now = clock_.Read().domain;
    const LatLng position{search.position().latitude_deg(), search.position().longitude_deg()};
    const RideNeeds needs{position, search.region_id(), search.product_id(), search.seats()};
    for (const SeenCar& car :
         CarsSeen(search_, travel_times_, now, needs, search.radius_m(), static_cast<std::size_t>(search.limit()))) {
      *call->response().add_drivers() = ToProto(car);
    }
    call->Finish();
  });
}

}  // namespace hail::driver
