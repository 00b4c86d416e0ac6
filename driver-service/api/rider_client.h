// RiderCalls over gRPC.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/exec/executor.h"
#include "common/rpc/outgoing_calls.h"
#include "common/time/clock.h"
#include "driver-service/api/rider_calls.h"
#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"

namespace hail::driver {

// The channel to rider-service at `target`. Idempotent calls are retried if the server does not answer.
std::shared_ptr<grpc::Channel> RiderChannel(const std::string& target,
                                            std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr);

// Thread-safe.
class RiderClient final : public RiderCalls {
 public:
  // The handlers of the streams run on `loop`. Both must outlive this.
  RiderClient(const std::shared_ptr<grpc::Channel>& channel, Executor* loop, const Clock* clock);

  void Confirm(const ConfirmCall& call, std::function<void(absl::StatusOr<RideView>)> done) override;
  void FindAssignment(const FindCall& call, std::function<void(absl::StatusOr<RideView>)> done) override;
  void RecordTripEvent(internal::v1::RecordTripEventRequest request, const ForCaller& caller,
                       std::function<void(absl::StatusOr<type::v1::Ride>)> done) override;
  void ListDriverRides(internal::v1::ListDriverRidesRequest request, const ForCaller& caller,
                       std::function<void(absl::StatusOr<internal::v1::ListDriverRidesResponse>)> done) override;
  std::unique_ptr<Feed> WatchDrivers(FeedHandlers handlers) override;
  std::unique_ptr<Locations> ReportLocations(LocationHandlers handlers) override;

  // Cancels open calls and waits until no `done` is running.
  void Stop() { calls_.Stop(); }

 private:
  const std::unique_ptr<internal::v1::AssignmentService::Stub> stub_;
  Executor* const loop_;
  const Clock* const clock_;
  rpc::OutgoingCalls calls_;
};

}  // namespace hail::driver
