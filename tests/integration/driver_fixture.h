// driver-service's real binary against a rider-service that the test scripts.
#pragma once

#include <signal.h>

#include <map>
#include <memory>
#include <string>

#include "common/errors/error.h"
#include "common/geo/lat_lng.h"
#include "common/rpc/status.h"
#include "gtest/gtest.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/driver_fake_rider.h"
#include "tests/integration/process.h"

namespace hail::testing {

inline constexpr LatLng kMarketStreet{37.7793, -122.4193};

class DriverServiceTest : public ::testing::Test {
 protected:
  explicit DriverServiceTest(std::map<std::string, std::string> settings = {});
  void SetUp() override;

  // A registered driver's app.
  std::unique_ptr<DriverApp> NewApp(const std::string& driver_id);
  // The app of a driver who is AVAILABLE at `at`, with an open stream.
  std::unique_ptr<DriverApp> AvailableApp(const std::string& driver_id, const LatLng& at = kMarketStreet);
  // As AvailableApp; then the driver accepts an offer of the ride and gets its assignment. The ride is at epoch 1.
  std::unique_ptr<DriverApp> AppOnTrip(const std::string& driver_id, const std::string& ride_id);
  // The ErrorInfo reason of a failed call ("" if there is none).
  static std::string ReasonOf(const grpc::Status& status);
  static std::string ReasonOf(const google::rpc::Status& status);
  // The field that the call's BadRequest names ("" if there is none).
  static std::string FieldOf(const grpc::Status& status);

  FakeRider rider_;
  ServiceProcess driver_;
};

}  // namespace hail::testing
