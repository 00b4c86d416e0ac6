// driver-service's ties to rider-service: confirmations, the feed about drivers' rides, the positions for riders.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/rpc/client_stream.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/rider_client.h"
#include "driver-service/api/trip_positions.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"

namespace hail::driver {

// Everything but Start and Stop runs on the dispatch loop; up() is thread-safe.
class RiderPeer final : public DispatchPeer {
 public:
  // All must outlive this.
  RiderPeer(const Clock& clock, DispatchHost& host, TripPositions& trips, RiderClient& client,
            const std::shared_ptr<grpc::Channel>& channel);

  // Opens the streams. After DispatchHost::Start.
  void Start();
  // Ends them. Before the loop is stopped; idempotent.
  void Stop();

  // Whether the feed is open.
  bool up() const { return feed_.up(); }

  void Confirm(const ConfirmCall& call) override;
  void FindAssignment(const FindCall& call) override;
  void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                     const std::optional<RideCursor>& cursor) override;
  void FeedUnsubscribe(const std::string& driver_id) override;
  void OnTrip(const std::string& driver_id, const RideRef& ride) override { trips_.SetRide(driver_id, ride); }

 private:
  using Feed = rpc::ReconnectingStream<internal::v1::WatchDriversRequest, internal::v1::WatchDriversResponse>;
  using Positions =
      rpc::ReconnectingWriter<internal::v1::ReportLocationsRequest, internal::v1::ReportLocationsResponse>;

  Feed::Handlers FeedHandlers();
  Positions::Handlers PositionHandlers();
  void OnFeedMessage(const internal::v1::WatchDriversResponse& message);
  void SendPositions();

  const Clock& clock_;
  DispatchHost& host_;
  TripPositions& trips_;
  RiderClient& client_;
  const std::unique_ptr<internal::v1::AssignmentService::Stub> stub_;
  // Loop only: the present links.
  std::uint64_t feed_link_ = 0;
  std::uint64_t positions_link_ = 0;
  Feed feed_;
  Positions positions_;
};

}  // namespace hail::driver
