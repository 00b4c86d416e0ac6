#include "rider-service/main/driver_client.h"

#include <functional>
#include <utility>

#include "common/rpc/channel.h"
#include "common/rpc/client_stream.h"

namespace hail::rider {

DriverClient::DriverClient(const std::string& address, std::shared_ptr<grpc::ChannelCredentials> credentials,
                           absl::Duration search_timeout)
    : stub_(hail::internal::v1::DispatchService::NewStub(
          rpc::MakeChannel(address, {{"hail.internal.v1.DispatchService", "SearchDrivers"}}, std::move(credentials)))),
      search_timeout_(search_timeout) {}

void DriverClient::Search(SearchRequest request, const rpc::CallContext& call, Done<SearchResponse> done) {
  calls_.Call<SearchRequest, SearchResponse>(
      [this](grpc::ClientContext* context, const SearchRequest* sent, SearchResponse* response,
             std::function<void(grpc::Status)> on_done) {
        stub_->async()->SearchDrivers(context, sent, response, std::move(on_done));
      },
      std::move(request), {.deadline = call.deadline, .cap = search_timeout_, .traceparent = call.traceparent},
      std::move(done));
}

DispatchClient::Opener DriverClient::DispatchLinks(Executor* loop, const Clock* clock) {
  return [this, loop, clock](auto handlers) {
    return std::make_unique<rpc::ReconnectingStream<DispatchClient::Request, DispatchClient::Response>>(
        loop, clock, [this](auto* context, auto* reactor) { stub_->async()->Dispatch(context, reactor); },
        std::move(handlers));
  };
}

}  // namespace hail::rider
