// The port for driver-service's search for nearby cars.
#pragma once

#include "absl/status/status.h"
#include "common/exec/done.h"
#include "common/rpc/call_context.h"
#include "hail/internal/v1/dispatch_service.pb.h"

namespace hail::rider {

using SearchRequest = hail::internal::v1::SearchDriversRequest;
using SearchResponse = hail::internal::v1::SearchDriversResponse;

// Thread-safe.
class DriverSearch {
 public:
  virtual ~DriverSearch() = default;

  // Runs with the deadline and trace of `call`. `done` runs on any thread and must not block.
  virtual void Search(SearchRequest request, const rpc::CallContext& call, Done<SearchResponse> done) = 0;
};

// The caller's error for a failed search. driver-service's own errors about the request are passed on; all others
// become PEER_UNAVAILABLE.
absl::Status SearchError(const absl::Status& status);

}  // namespace hail::rider
