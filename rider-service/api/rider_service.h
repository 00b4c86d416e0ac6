// hail.rider.v1.RiderService, called by riders' apps over any transport. Each method decodes, calls the domain,
// encodes.
#pragma once

#include <cstddef>
#include <memory>
#include <tuple>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/methods.h"
#include "common/time/clock.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/driver_search.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class RiderService final {
 public:
  // A ride has a dozen events, or some tens with re-dispatches: a reader this far behind is not reading.
  static constexpr std::size_t kRiderQueue = 128;

  static constexpr char kName[] = "hail.rider.v1.RiderService";
  static constexpr auto Methods() {
    return std::tuple(rpc::Unary("ListProducts", &RiderService::ListProducts),
                      rpc::Unary("QuoteRide", &RiderService::QuoteRide, {.person = &RiderService::RiderOf}),
                      rpc::Unary("RequestRide", &RiderService::RequestRide,
                                 {.person = &RiderService::RiderOf, .admit = &RiderService::AdmitRequest}),
                      rpc::Unary("GetRide", &RiderService::GetRide, {.person = &RiderService::RiderOf}),
                      rpc::Unary("GetActiveRide", &RiderService::GetActiveRide, {.person = &RiderService::RiderOf}),
                      rpc::Unary("ListRides", &RiderService::ListRides, {.person = &RiderService::RiderOf}),
                      rpc::Unary("CancelRide", &RiderService::CancelRide, {.person = &RiderService::RiderOf}),
                      rpc::Unary("ListNearbyCars", &RiderService::ListNearbyCars),
                      rpc::ServerStream("WatchRide", &RiderService::WatchRide, {.queue = kRiderQueue}),
                      rpc::Bidi("StreamRide", &RiderService::StreamRide, {.queue = kRiderQueue}));
  }

  // All must outlive every call.
  struct Ports {
    Rides* rides = nullptr;
    const Quoter* quoter = nullptr;
    DriverSearch* search = nullptr;
    SessionPorts session;
  };
  explicit RiderService(const Ports& ports) : ports_(ports) {}

  void ListProducts(const rpc::CallContext& call, const v1::ListProductsRequest& request,
                    Done<v1::ListProductsResponse> done);
  void QuoteRide(const rpc::CallContext& call, const v1::QuoteRideRequest& request, Done<v1::QuoteRideResponse> done);
  absl::Status AdmitRequest(absl::Time deadline) const { return ports_.rides->Admit(deadline); }
  void RequestRide(const rpc::CallContext& call, const v1::RequestRideRequest& request,
                   Done<v1::RequestRideResponse> done);
  void GetRide(const rpc::CallContext& call, const v1::GetRideRequest& request, Done<v1::GetRideResponse> done);
  void GetActiveRide(const rpc::CallContext& call, const v1::GetActiveRideRequest& request,
                     Done<v1::GetActiveRideResponse> done);
  void ListRides(const rpc::CallContext& call, const v1::ListRidesRequest& request, Done<v1::ListRidesResponse> done);
  void CancelRide(const rpc::CallContext& call, const v1::CancelRideRequest& request,
                  Done<v1::CancelRideResponse> done);
  void ListNearbyCars(const rpc::CallContext& call, const v1::ListNearbyCarsRequest& request,
                      Done<v1::ListNearbyCarsResponse> done);
  std::shared_ptr<rpc::StreamSession> WatchRide(const rpc::CallContext& call, const v1::WatchRideRequest& request,
                                                std::shared_ptr<rpc::Sink<v1::WatchRideResponse>> sink);
  std::shared_ptr<rpc::InboundSession<v1::StreamRideRequest>> StreamRide(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<v1::StreamRideResponse>> sink);

 private:
  template <typename Request>
  static rpc::Person RiderOf(const Request& request) {
    return {request.rider_id(), "rider_id"};
  }
  Now ReadClock() const { return ports_.session.clock->Read(); }

  const Ports ports_;
};

}  // namespace hail::rider
