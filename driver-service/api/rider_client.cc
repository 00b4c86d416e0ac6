#include "driver-service/api/rider_client.h"

#include <utility>

#include "common/errors/error.h"
#include "common/rpc/channel.h"
#include "common/rpc/client_stream.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/codec/ride_codec.h"

namespace hail::driver {
namespace {

constexpr absl::Duration kCallTime = absl::Seconds(3);
constexpr absl::Duration kCallersTime = absl::Seconds(10);
// When the feed opens, all drivers with a session are subscribed at once.
constexpr std::size_t kFeedQueue = 1'000'000;

rpc::CallOptions OptionsOf(const ForCaller& caller) {
  return {.deadline = caller.deadline, .cap = kCallersTime, .traceparent = caller.traceparent};
}

}  // namespace

absl::Status ErrorForCaller(const absl::Status& status) {
  if (DetailsOf(status).has_value() || absl::IsDeadlineExceeded(status)) return status;
  return Unavailable(Reason::kPeerUnavailable, "rider-service cannot be reached");
}

std::shared_ptr<grpc::Channel> RiderChannel(const std::string& target,
                                            std::shared_ptr<grpc::ChannelCredentials> credentials) {
  const std::string service = internal::v1::AssignmentService::service_full_name();
  return rpc::MakeChannel(target,
                          {{service, "FindAssignment"}, {service, "RecordTripEvent"}, {service, "ListDriverRides"}},
                          std::move(credentials));
}

RiderClient::RiderClient(const std::shared_ptr<grpc::Channel>& channel, Executor* loop, const Clock* clock)
    : stub_(internal::v1::AssignmentService::NewStub(channel)), loop_(loop), clock_(clock) {}

void RiderClient::Confirm(const ConfirmCall& call, std::function<void(absl::StatusOr<RideView>)> done) {
  calls_.Call<internal::v1::ConfirmAssignmentRequest, internal::v1::ConfirmAssignmentResponse>(
      [this](auto... args) { stub_->async()->ConfirmAssignment(args...); }, ToProto(call), {.cap = kCallTime},
      [done = std::move(done)](absl::StatusOr<internal::v1::ConfirmAssignmentResponse> response) {
        if (!response.ok()) return done(response.status());
        done(FromProto(response->ride()));
      });
}

void RiderClient::FindAssignment(const FindCall& call, std::function<void(absl::StatusOr<RideView>)> done) {
  calls_.Call<internal::v1::FindAssignmentRequest, internal::v1::FindAssignmentResponse>(
      [this](auto... args) { stub_->async()->FindAssignment(args...); }, ToProto(call), {.cap = kCallTime},
      [done = std::move(done)](absl::StatusOr<internal::v1::FindAssignmentResponse> response) {
        if (!response.ok()) return done(response.status());
        done(FromProto(response->ride()));
      });
}

void RiderClient::RecordTripEvent(internal::v1::RecordTripEventRequest request, const ForCaller& caller,
                                  std::function<void(absl::StatusOr<type::v1::Ride>)> done) {
  calls_.Call<internal::v1::RecordTripEventRequest, internal::v1::RecordTripEventResponse>(
      [this](auto... args) { stub_->async()->RecordTripEvent(args...); }, std::move(request), OptionsOf(caller),
      [done = std::move(done)](absl::StatusOr<internal::v1::RecordTripEventResponse> response) {
        if (!response.ok()) return done(ErrorForCaller(response.status()));
        done(std::move(*response->mutable_ride()));
      });
}

void RiderClient::ListDriverRides(internal::v1::ListDriverRidesRequest request, const ForCaller& caller,
                                  std::function<void(absl::StatusOr<internal::v1::ListDriverRidesResponse>)> done) {
  calls_.Call<internal::v1::ListDriverRidesRequest, internal::v1::ListDriverRidesResponse>(
      [this](auto... args) { stub_->async()->ListDriverRides(args...); }, std::move(request), OptionsOf(caller),
      [done = std::move(done)](absl::StatusOr<internal::v1::ListDriverRidesResponse> response) {
        if (!response.ok()) return done(ErrorForCaller(response.status()));
        done(*std::move(response));
      });
}

std::unique_ptr<RiderCalls::Feed> RiderClient::WatchDrivers(FeedHandlers handlers) {
  return std::make_unique<
      rpc::ReconnectingStream<internal::v1::WatchDriversRequest, internal::v1::WatchDriversResponse>>(
      loop_, clock_, [this](auto* context, auto* reactor) { stub_->async()->WatchDrivers(context, reactor); },
      std::move(handlers), rpc::LinkOptions{.queue = kFeedQueue});
}

std::unique_ptr<RiderCalls::Locations> RiderClient::ReportLocations(LocationHandlers handlers) {
  return std::make_unique<
      rpc::ReconnectingWriter<internal::v1::ReportLocationsRequest, internal::v1::ReportLocationsResponse>>(
      loop_, clock_,
      [this](auto* context, auto* response, auto* reactor) {
        stub_->async()->ReportLocations(context, response, reactor);
      },
      std::move(handlers));
}

}  // namespace hail::driver
