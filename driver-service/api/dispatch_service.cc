#include "driver-service/api/dispatch_service.h"

#include <utility>

#include "common/errors/error.h"
#include "driver-service/api/dispatch_stream.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/domain/seen_cars.h"

namespace hail::driver {
namespace {

namespace pb = hail::internal::v1;

constexpr double kMaxSearchRadiusM = 100'000;
constexpr int kMaxFound = 200;

LatLng PositionOf(const pb::SearchDriversRequest& request) {
  return {request.position().latitude_deg(), request.position().longitude_deg()};
}

absl::Status CheckSearch(const pb::SearchDriversRequest& request) {
  if (absl::Status status = CheckLatLng(PositionOf(request), "position"); !status.ok()) return status;
  // Written so that NaN fails.
  if (!(request.radius_m() > 0 && request.radius_m() <= kMaxSearchRadiusM)) {
    return InvalidField("radius_m", "must be above 0 and at most 100000");
  }
  if (request.limit() < 1 || request.limit() > kMaxFound) return InvalidField("limit", "must be from 1 to 200");
  if (request.seats() < 0) return InvalidField("seats", "must not be negative");
  return absl::OkStatus();
}

}  // namespace

void DispatchService::SearchDrivers(const rpc::CallContext&, const pb::SearchDriversRequest& request,
                                    Done<pb::SearchDriversResponse> done) {
  if (absl::Status status = CheckSearch(request); !status.ok()) return done(status);
  const RideNeeds needs{PositionOf(request), request.region_id(), request.product_id(), request.seats()};
  pb::SearchDriversResponse response;
  for (const SeenCar& car : CarsSeen(*ports_.search, *ports_.travel_times, ports_.clock->Read().domain, needs,
                                     request.radius_m(), static_cast<std::size_t>(request.limit()))) {
    *response.add_drivers() = ToProto(car);
  }
  done(std::move(response));
}

std::shared_ptr<rpc::InboundSession<pb::DispatchRequest>> DispatchService::Dispatch(
    const rpc::CallContext&, std::shared_ptr<rpc::Sink<pb::DispatchResponse>> sink) {
  return std::make_shared<DispatchStream>(*ports_.host, std::move(sink));
}

}  // namespace hail::driver
