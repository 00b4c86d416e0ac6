// The same messages and rows as Hail's, with none of its thoughts: what a ride could cost at the least.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/sqlite/database.h"
#include "common/time/clock.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"

namespace hail::floor {

// RequestRide answers with a ride like Hail's; with a database, once the rows Hail would write are committed. No check,
// no look-up, no event told to anybody.
class FloorRiderService final : public hail::rider::v1::RiderService::CallbackService {
 public:
  // `database` may be null; must outlive the service.
  explicit FloorRiderService(sqlite::Database* database) : database_(database) {}

  grpc::ServerUnaryReactor* RequestRide(grpc::CallbackServerContext* context,
                                        const hail::rider::v1::RequestRideRequest* request,
                                        hail::rider::v1::RequestRideResponse* response) override;

 private:
  sqlite::Database* const database_;
};

// StreamDriver reads and forgets.
class FloorDriverService final : public hail::driver::v1::DriverService::CallbackService {
 public:
  grpc::ServerBidiReactor<hail::driver::v1::StreamDriverRequest, hail::driver::v1::StreamDriverResponse>* StreamDriver(
      grpc::CallbackServerContext* context) override;
};

}  // namespace hail::floor
