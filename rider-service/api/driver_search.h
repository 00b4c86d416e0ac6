// Asks driver-service which cars are near.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/call_info.h"
#include "common/rpc/outgoing_calls.h"
#include "grpcpp/channel.h"
#include "hail/internal/v1/dispatch_service.grpc.pb.h"

namespace hail::rider {

// Thread-safe.
class DriverSearch {
 public:
  using Request = hail::internal::v1::SearchDriversRequest;
  using Response = hail::internal::v1::SearchDriversResponse;

  // No search takes longer than `at_most` (wall time), whatever its caller's deadline. `calls` must outlive it.
  DriverSearch(const std::shared_ptr<grpc::Channel>& channel, rpc::OutgoingCalls* calls, absl::Duration at_most)
      : stub_(hail::internal::v1::DispatchService::NewStub(channel)), calls_(calls), at_most_(at_most) {}

  // On behalf of the call `info` describes. `done` runs on a thread of gRPC's and must not block. An unreachable
  // driver-service is PEER_UNAVAILABLE.
  void Search(Request request, const rpc::CallInfo& info, std::function<void(absl::StatusOr<Response>)> done);

 private:
  const std::unique_ptr<hail::internal::v1::DispatchService::Stub> stub_;
  rpc::OutgoingCalls* const calls_;
  const absl::Duration at_most_;
};

}  // namespace hail::rider
