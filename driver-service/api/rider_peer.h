// driver-service's ties to rider-service: confirmations, the feed about drivers' rides, the positions for riders.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/rpc/outgoing_stream.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/api/trip_positions.h"
#include "hail/internal/v1/assignment_service.pb.h"

namespace hail::driver {

// Everything but Start and Stop runs on the dispatch loop; up() is thread-safe.
class RiderPeer final : public DispatchPeer {
 public:
  using Feed = rpc::OutgoingStream<internal::v1::WatchDriversRequest>;
  using FeedHandlers = rpc::StreamHandlers<internal::v1::WatchDriversRequest, internal::v1::WatchDriversResponse>;
  using Positions = rpc::OutgoingStream<internal::v1::ReportLocationsRequest>;
  using PositionHandlers =
      rpc::StreamHandlers<internal::v1::ReportLocationsRequest, internal::v1::ReportLocationsResponse>;

  // How the streams are opened; their handlers run on the dispatch loop.
  struct Streams {
    rpc::StreamOpener<internal::v1::WatchDriversRequest, internal::v1::WatchDriversResponse> feed;
    rpc::StreamOpener<internal::v1::ReportLocationsRequest, internal::v1::ReportLocationsResponse> positions;
  };

  // All must outlive this.
  RiderPeer(const Clock& clock, DispatchHost& host, TripPositions& trips, RiderCalls& calls, const Streams& streams);

  // Opens the streams. After DispatchHost::Start.
  void Start();
  // Ends them. Before the loop is stopped; idempotent.
  void Stop();

  // Whether the feed is open.
  bool up() const { return feed_->up(); }

  void Confirm(const ConfirmCall& call) override;
  void FindAssignment(const FindCall& call) override;
  void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                     const std::optional<RideCursor>& cursor) override;
  void FeedUnsubscribe(const std::string& driver_id) override;
  void OnTrip(const std::string& driver_id, const RideRef& ride) override { trips_.SetRide(driver_id, ride); }

 private:
  FeedHandlers HandlersOfFeed();
  PositionHandlers HandlersOfPositions();
  void OnFeedMessage(const internal::v1::WatchDriversResponse& message);
  // Now, or as soon as the last sending is long enough ago.
  void SendPositionsSoon();
  void SendPositions();

  const Clock& clock_;
  DispatchHost& host_;
  TripPositions& trips_;
  RiderCalls& calls_;
  // Loop only: the present links.
  std::uint64_t feed_link_ = 0;
  std::uint64_t positions_link_ = 0;
  // Wall time of the last SendPositions.
  absl::Time positions_sent_ = absl::InfinitePast();
  const std::unique_ptr<Feed> feed_;
  const std::unique_ptr<Positions> positions_;
};

}  // namespace hail::driver
