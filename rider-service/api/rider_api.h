// hail.rider.v1.RiderService: what riders' apps call. Each method decodes, asks the domain, encodes.
#pragma once

#include "common/rpc/gate.h"
#include "common/time/clock.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "rider-service/api/driver_search.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/api/telemetry.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

// Thread-safe.
class RiderApi final : public hail::rider::v1::RiderService::CallbackService {
 public:
  // All outlive the server.
  struct Ports {
    rpc::Gate* gate = nullptr;
    Rides* rides = nullptr;
    const Quoter* quoter = nullptr;
    DriverSearch* search = nullptr;
    SessionPorts session;
  };
  explicit RiderApi(Ports ports) : ports_(ports) {}

  grpc::ServerUnaryReactor* ListProducts(grpc::CallbackServerContext* context,
                                         const hail::rider::v1::ListProductsRequest* request,
                                         hail::rider::v1::ListProductsResponse* response) override;
  grpc::ServerUnaryReactor* QuoteRide(grpc::CallbackServerContext* context,
                                      const hail::rider::v1::QuoteRideRequest* request,
                                      hail::rider::v1::QuoteRideResponse* response) override;
  grpc::ServerUnaryReactor* RequestRide(grpc::CallbackServerContext* context,
                                        const hail::rider::v1::RequestRideRequest* request,
                                        hail::rider::v1::RequestRideResponse* response) override;
  grpc::ServerUnaryReactor* GetRide(grpc::CallbackServerContext* context,
                                    const hail::rider::v1::GetRideRequest* request,
                                    hail::rider::v1::GetRideResponse* response) override;
  grpc::ServerUnaryReactor* GetActiveRide(grpc::CallbackServerContext* context,
                                          const hail::rider::v1::GetActiveRideRequest* request,
                                          hail::rider::v1::GetActiveRideResponse* response) override;
  grpc::ServerUnaryReactor* ListRides(grpc::CallbackServerContext* context,
                                      const hail::rider::v1::ListRidesRequest* request,
                                      hail::rider::v1::ListRidesResponse* response) override;
  grpc::ServerUnaryReactor* CancelRide(grpc::CallbackServerContext* context,
                                       const hail::rider::v1::CancelRideRequest* request,
                                       hail::rider::v1::CancelRideResponse* response) override;
  grpc::ServerUnaryReactor* ListNearbyCars(grpc::CallbackServerContext* context,
                                           const hail::rider::v1::ListNearbyCarsRequest* request,
                                           hail::rider::v1::ListNearbyCarsResponse* response) override;
  grpc::ServerWriteReactor<hail::rider::v1::WatchRideResponse>* WatchRide(
      grpc::CallbackServerContext* context, const hail::rider::v1::WatchRideRequest* request) override;
  grpc::ServerBidiReactor<hail::rider::v1::StreamRideRequest, hail::rider::v1::StreamRideResponse>* StreamRide(
      grpc::CallbackServerContext* context) override;

 private:
  Now ReadClock() const { return ports_.session.clock->Read(); }

  const Ports ports_;
};

}  // namespace hail::rider
