// hail.rider.v1.RiderService, called by riders' apps over any transport. Each method decodes, calls the domain,
// encodes. The table has checked the caller by then.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
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
    // An app may show these before its rider has signed in.
    constexpr rpc::Roles kEverybody = rpc::Roles::Everybody();
    constexpr rpc::Roles kRiders = {auth::Role::kRider, auth::Role::kServer};
    constexpr rpc::Roles kReaders = {auth::Role::kRider, auth::Role::kServer, auth::Role::kOperator};
    constexpr rpc::Roles kSharers = {auth::Role::kRider, auth::Role::kViewer, auth::Role::kServer,
                                     auth::Role::kOperator};
    return std::tuple(
        rpc::Unary("ListProducts", &RiderService::ListProducts,
                   {.roles = kEverybody, .audit = audit::Audited::kDenied}),
        rpc::Unary("QuoteRide", &RiderService::QuoteRide,
                   {.roles = kRiders, .person = &RiderService::RiderOf, .limit = limits::Class::kQuoteRide}),
        rpc::Unary("RequestRide", &RiderService::RequestRide,
                   {.roles = kRiders, .person = &RiderService::RiderOf, .limit = limits::Class::kRequestRide},
                   {.admit = &RiderService::AdmitRequest}),
        rpc::Unary("GetRide", &RiderService::GetRide,
                   {.roles = kSharers, .person = &RiderService::RiderOf, .ride = &RiderService::RideOf}),
        rpc::Unary("GetActiveRide", &RiderService::GetActiveRide,
                   {.roles = kReaders, .person = &RiderService::RiderOf}),
        rpc::Unary("ListRides", &RiderService::ListRides, {.roles = kReaders, .person = &RiderService::RiderOf}),
        rpc::Unary("CancelRide", &RiderService::CancelRide,
                   {.roles = kRiders, .person = &RiderService::RiderOf, .limit = limits::Class::kWrite}),
        rpc::Unary("ListNearbyCars", &RiderService::ListNearbyCars,
                   {.roles = kEverybody, .limit = limits::Class::kNearbyCars, .audit = audit::Audited::kDenied}),
        rpc::ServerStream("WatchRide", &RiderService::WatchRide,
                          {.roles = kSharers, .person = &RiderService::RiderOf, .ride = &RiderService::RideOf},
                          {.queue = kRiderQueue}),
        rpc::Bidi("StreamRide", &RiderService::StreamRide, {.roles = kRiders, .person = &RiderService::RiderInOpen},
                  {.queue = kRiderQueue}));
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
  static std::optional<rpc::Person> RiderOf(const Request& request) {
    return rpc::Person{request.rider_id(), "rider_id", rpc::Person::Kind::kRider};
  }
  // The session refuses commands that name another ride or rider than the stream's.
  static std::optional<rpc::Person> RiderInOpen(const v1::StreamRideRequest& message) {
    return message.has_open() ? RiderOf(message.open()) : std::nullopt;
  }
  template <typename Request>
  static const std::string& RideOf(const Request& request) {
    return request.ride_id();
  }
  Now ReadClock() const { return ports_.session.clock->Read(); }

  const Ports ports_;
};

}  // namespace hail::rider
