// A real rider-service beside a scripted driver-service, and short forms for the calls that tests make.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fake_driver.h"

namespace hail::testing {

// A call's context with a deadline, so that no test hangs.
std::unique_ptr<grpc::ClientContext> PatientContext(absl::Duration limit = absl::Seconds(20));

// The contents of an error's trailer, read from the bytes on the wire.
struct WireError {
  std::string reason;
  std::string domain;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> fields;
  bool has_retry = false;
};
WireError ErrorOf(const grpc::Status& status);

// Places in San Francisco, a few kilometres apart.
hail::type::v1::Place FerryBuilding();
hail::type::v1::Place MissionDolores();

// The result of a call: its status, and its response if OK.
template <typename Response>
struct Outcome {
  grpc::Status status;
  Response response;
  bool ok() const { return status.ok(); }
};

// Calls to one rider-service at its present addresses.
class RiderClient {
 public:
  explicit RiderClient(const ServiceProcess& rider);

  static hail::rider::v1::RequestRideRequest RideRequest(const std::string& rider_id, const std::string& request_id);

  Outcome<hail::rider::v1::RequestRideResponse> Request(const hail::rider::v1::RequestRideRequest& request);
  // Requests a new ride for `rider_id`, which must succeed.
  hail::type::v1::Ride MustRequest(const std::string& rider_id, const std::string& request_id = "request-1");
  Outcome<hail::rider::v1::GetRideResponse> Get(const std::string& rider_id, const std::string& ride_id);
  Outcome<hail::rider::v1::CancelRideResponse> Cancel(const std::string& rider_id, const std::string& ride_id);
  Outcome<hail::internal::v1::ConfirmAssignmentResponse> Confirm(const std::string& ride_id, std::int64_t epoch,
                                                                 const std::string& driver_id,
                                                                 const std::string& offer_id);
  Outcome<hail::internal::v1::RecordTripEventResponse> Step(const hail::type::v1::Ride& ride,
                                                            hail::internal::v1::TripStep step);
  // Confirms `ride` for `driver_id`, which must succeed; returns the ride after it.
  hail::type::v1::Ride MustConfirm(const hail::type::v1::Ride& ride, const std::string& driver_id);

  // Waits until `wanted` holds for the ride; returns the ride then, or nullopt (and a failure) after 30 s.
  std::optional<hail::type::v1::Ride> WaitForRide(const std::string& rider_id, const std::string& ride_id,
                                                  const std::function<bool(const hail::type::v1::Ride&)>& wanted);

  hail::rider::v1::RiderService::Stub& rides() { return *rides_; }
  hail::internal::v1::AssignmentService::Stub& assignments() { return *assignments_; }

 private:
  std::unique_ptr<hail::rider::v1::RiderService::Stub> rides_;
  std::unique_ptr<hail::internal::v1::AssignmentService::Stub> assignments_;
};

// One WatchRide, read message by message.
class Watch {
 public:
  Watch(hail::rider::v1::RiderService::Stub& stub, const std::string& rider_id, const std::string& ride_id,
        std::optional<std::int64_t> after_sequence = std::nullopt);
  ~Watch();

  // The next message that is no heartbeat; nullopt once the stream has ended.
  std::optional<hail::rider::v1::WatchRideResponse> Next();
  // Reads to the end and returns the final status.
  grpc::Status Finish();
  void Cancel() { context_->TryCancel(); }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<hail::rider::v1::WatchRideResponse>> reader_;
  bool finished_ = false;
};

class RiderServiceTest : public ::testing::Test {
 protected:
  // Domain time runs `time_scale` times as fast as wall time, from now on.
  explicit RiderServiceTest(double time_scale = 1);

  void SetUp() override;
  // A client at the present addresses.
  RiderClient Client() const { return RiderClient(rider_); }

  FakeDriverService driver_;
  ServiceProcess rider_;
};

}  // namespace hail::testing
