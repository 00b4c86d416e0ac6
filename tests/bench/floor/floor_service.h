// The same messages and rows as Hail's without any logic: the lowest possible cost of a ride.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/sqlite/database.h"
#include "common/time/clock.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"

namespace hail::floor {

// RequestRide answers with a ride like Hail's. With a database, it first commits the rows that Hail would write. It
// makes no checks and no look-ups, and publishes no events.
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

// StreamDriver reads messages and drops them.
class FloorDriverService final : public hail::driver::v1::DriverService::CallbackService {
 public:
  grpc::ServerBidiReactor<hail::driver::v1::StreamDriverRequest, hail::driver::v1::StreamDriverResponse>* StreamDriver(
      grpc::CallbackServerContext* context) override;
};

}  // namespace hail::floor
