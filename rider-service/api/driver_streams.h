// The sessions of WatchDrivers and ReportLocations: they connect driver-service's streams to a DriverFeedSession and
// the position cache.
#pragma once

#include <memory>
#include <utility>

#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "rider-service/api/driver_feed_session.h"

namespace hail::rider {

using DriversSink = rpc::Sink<hail::internal::v1::WatchDriversResponse>;
using LocationsSink = rpc::Sink<hail::internal::v1::ReportLocationsResponse>;

class DriversStream final : public rpc::InboundSession<hail::internal::v1::WatchDriversRequest> {
 public:
  DriversStream(const SessionPorts& ports, std::shared_ptr<DriversSink> sink);

  void OnMessage(const hail::internal::v1::WatchDriversRequest& message) override;
  void OnHalfClose() override;
  void OnHeartbeat() override;
  void OnDrain(absl::Duration retry_after) override;
  void OnEnd() override;

 private:
  const std::shared_ptr<DriversSink> sink_;
  const std::shared_ptr<DriverFeedSession> session_;
};

// Adds the positions reported to other replicas of rider-service to the cache.
std::unique_ptr<Bus::Subscription> SubscribePositions(Bus* bus, PositionCache* board, const Clock* clock);

class LocationsStream final : public rpc::InboundSession<hail::internal::v1::ReportLocationsRequest> {
 public:
  LocationsStream(const SessionPorts& ports, std::shared_ptr<LocationsSink> sink)
      : ports_(ports), sink_(std::move(sink)) {}

  void OnMessage(const hail::internal::v1::ReportLocationsRequest& message) override;
  void OnHalfClose() override { sink_->Finish(); }
  void OnDrain(absl::Duration) override { sink_->Finish(); }
  void OnEnd() override {}

 private:
  const SessionPorts ports_;
  const std::shared_ptr<LocationsSink> sink_;
};

}  // namespace hail::rider
