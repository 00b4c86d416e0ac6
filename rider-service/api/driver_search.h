// The port through which driver-service is asked which cars are near.
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

  // On behalf of `call`, with its deadline and trace. `done` runs on any thread and must not block.
  virtual void Search(SearchRequest request, const rpc::CallContext& call, Done<SearchResponse> done) = 0;
};

// What a caller hears of a search that failed. What driver-service itself said about the request is passed on; for
// everything else it is as good as not there: PEER_UNAVAILABLE.
absl::Status SearchError(const absl::Status& status);

}  // namespace hail::rider
