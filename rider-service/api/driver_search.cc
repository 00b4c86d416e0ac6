#include "rider-service/api/driver_search.h"

#include <utility>

#include "common/errors/error.h"

namespace hail::rider {
namespace {

// What the peer itself said about the request is passed on; for everything else it is as good as not there. Without a
// reason of Hail's it was a proxy or a library that spoke.
absl::Status AsPeerError(const absl::Status& status) {
  if (DetailsOf(status).has_value() && (absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status))) {
    return status;
  }
  return Unavailable(Reason::kPeerUnavailable, "cars cannot be looked up now");
}

}  // namespace

void DriverSearch::Search(Request request, const rpc::CallInfo& info,
                          std::function<void(absl::StatusOr<Response>)> done) {
  calls_->Call<Request, Response>(
      [this](grpc::ClientContext* context, const Request* sent, Response* response,
             std::function<void(grpc::Status)> on_done) {
        stub_->async()->SearchDrivers(context, sent, response, std::move(on_done));
      },
      std::move(request), {.deadline = info.deadline, .cap = at_most_, .traceparent = info.traceparent},
      [done = std::move(done)](absl::StatusOr<Response> response) {
        if (!response.ok()) return done(AsPeerError(response.status()));
        done(std::move(response));
      });
}

}  // namespace hail::rider
