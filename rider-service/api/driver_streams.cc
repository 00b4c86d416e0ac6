#include "rider-service/api/driver_streams.h"

#include <utility>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

using hail::internal::v1::ReportLocationsRequest;
using hail::internal::v1::WatchDriversRequest;
using hail::internal::v1::WatchDriversResponse;

constexpr char kHeartbeatSlot[] = "heartbeat";
// Topic on which replicas share reported positions, each message unchanged.
constexpr char kPositionsTopic[] = "positions";

}  // namespace

DriversStream::DriversStream(const SessionPorts& ports, std::shared_ptr<DriversSink> sink)
    : sink_(std::move(sink)), session_(DriverFeedSession::Open(ports, sink_)) {}

void DriversStream::OnMessage(const WatchDriversRequest& message) {
  switch (message.message_case()) {
    case WatchDriversRequest::kSubscribe:
      if (const absl::Status status = CheckId(message.subscribe().driver_id(), "subscribe.driver_id"); !status.ok()) {
        return sink_->Finish(status);
      }
      return session_->Subscribe(message.subscribe());
    case WatchDriversRequest::kUnsubscribe:
      return session_->Unsubscribe(message.unsubscribe().driver_id());
    case WatchDriversRequest::kHeartbeat:
      return;
    case WatchDriversRequest::MESSAGE_NOT_SET:
      return sink_->Finish(FailedPrecondition(Reason::kProtocolViolation,
                                              "the message is empty, or of a kind this version does not know"));
  }
}

void DriversStream::OnHalfClose() { sink_->Finish(); }

void DriversStream::OnHeartbeat() {
  WatchDriversResponse message;
  message.mutable_heartbeat();
  sink_->SendLatest(kHeartbeatSlot, std::move(message));
}

void DriversStream::OnDrain(absl::Duration retry_after) {
  session_->Close();
  WatchDriversResponse message;
  Encode(retry_after, message.mutable_draining()->mutable_retry_after());
  sink_->Send(std::move(message));
  sink_->Finish();
}

void DriversStream::OnEnd() { session_->Close(); }

std::unique_ptr<Bus::Subscription> SubscribePositions(Bus* bus, PositionCache* board, const Clock* clock) {
  return bus->Subscribe(kPositionsTopic, [board, clock](const BusPayload& payload) {
    ReportLocationsRequest message;
    if (!message.ParseFromString(*payload)) return;
    const Now now = clock->Read();
    for (const auto& location : message.locations()) board->Report(location, now);
  });
}

void LocationsStream::OnMessage(const ReportLocationsRequest& message) {
  const Now now = ports_.clock->Read();
  for (const auto& location : message.locations()) ports_.telemetry->Report(location, now);
  if (!ports_.bus->HasSubscribers(kPositionsTopic)) return;
  ports_.bus->Publish(kPositionsTopic, std::make_shared<const std::string>(message.SerializeAsString()));
}

}  // namespace hail::rider
