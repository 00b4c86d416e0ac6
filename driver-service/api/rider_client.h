// The calls driver-service makes to rider-service's AssignmentService.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/rpc/outgoing_calls.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/ride_view.h"
#include "grpcpp/channel.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"

namespace hail::driver {

// The channel to rider-service at `target`; what may be repeated without harm is retried when nobody answers.
std::shared_ptr<grpc::Channel> RiderChannel(const std::string& target);

// Thread-safe. Each `done` runs once, on any thread, and must not block. Every call has a deadline of a few seconds.
class RiderClient {
 public:
  explicit RiderClient(const std::shared_ptr<grpc::Channel>& channel);

  // Errors are as they came: what is definite and what is unknown is the core's to tell.
  void Confirm(const ConfirmCall& call, std::function<void(absl::StatusOr<RideView>)> done);
  void FindAssignment(const FindCall& call, std::function<void(absl::StatusOr<RideView>)> done);

  // Calls made for a caller, within the caller's deadline. Errors are for the caller: PEER_UNAVAILABLE where
  // rider-service could not be asked.
  void RecordTripEvent(internal::v1::RecordTripEventRequest request, rpc::CallOptions options,
                       std::function<void(absl::StatusOr<type::v1::Ride>)> done);
  void ListDriverRides(internal::v1::ListDriverRidesRequest request, rpc::CallOptions options,
                       std::function<void(absl::StatusOr<internal::v1::ListDriverRidesResponse>)> done);

  // Ends what is under way and waits until no `done` runs any more.
  void Stop() { calls_.Stop(); }

 private:
  const std::unique_ptr<internal::v1::AssignmentService::Stub> stub_;
  rpc::OutgoingCalls calls_;
};

}  // namespace hail::driver
