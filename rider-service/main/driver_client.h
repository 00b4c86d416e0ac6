// driver-service over gRPC.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/rpc/outgoing_calls.h"
#include "common/time/clock.h"
#include "grpcpp/security/credentials.h"
#include "hail/internal/v1/dispatch_service.grpc.pb.h"
#include "rider-service/api/dispatch_client.h"
#include "rider-service/api/driver_search.h"

namespace hail::rider {

// Thread-safe.
class DriverClient final : public DriverSearch {
 public:
  // Each search ends within `search_timeout` (wall time), whatever its caller's deadline. `credentials`: null for
  // plaintext.
  DriverClient(const std::string& address, std::shared_ptr<grpc::ChannelCredentials> credentials,
               absl::Duration search_timeout);

  void Search(SearchRequest request, const rpc::CallContext& call, Done<SearchResponse> done) override;

  // Opens dispatch links, whose handlers run on `loop`. All must outlive every link.
  DispatchClient::Opener DispatchLinks(Executor* loop, const Clock* clock);

  // Cancels open searches, and waits for the last `done`.
  void Stop() { calls_.Stop(); }

 private:
  const std::unique_ptr<hail::internal::v1::DispatchService::Stub> stub_;
  const absl::Duration search_timeout_;
  rpc::OutgoingCalls calls_;
};

}  // namespace hail::rider
