// rider-service's AssignmentService, as driver-service uses it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/outgoing_stream.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/ride_view.h"
#include "hail/internal/v1/assignment_service.pb.h"

namespace hail::driver {

// The context of a call on behalf of a caller.
struct ForCaller {
  // Wall time: the caller's own deadline.
  absl::Time deadline = absl::InfiniteFuture();
  // W3C trace context, forwarded; may be empty.
  std::string traceparent;
};

// The error for a driver's app. Errors of rider-service stay unchanged. A transport error becomes PEER_UNAVAILABLE,
// because rider-service could not be reached. DEADLINE_EXCEEDED stays, because the deadline was the caller's.
absl::Status ErrorForCaller(const absl::Status& status);

// The port to rider-service. Thread-safe. Each `done` runs once, on any thread, and must not block. Every call has a
// deadline of a few seconds.
class RiderCalls {
 public:
  using Feed = rpc::OutgoingStream<internal::v1::WatchDriversRequest>;
  using FeedHandlers = rpc::StreamHandlers<internal::v1::WatchDriversRequest, internal::v1::WatchDriversResponse>;
  using Locations = rpc::OutgoingStream<internal::v1::ReportLocationsRequest>;
  using LocationHandlers =
      rpc::StreamHandlers<internal::v1::ReportLocationsRequest, internal::v1::ReportLocationsResponse>;

  virtual ~RiderCalls() = default;

  // Errors are unchanged: the core decides which are definite.
  virtual void Confirm(const ConfirmCall& call, std::function<void(absl::StatusOr<RideView>)> done) = 0;
  virtual void FindAssignment(const FindCall& call, std::function<void(absl::StatusOr<RideView>)> done) = 0;

  // Errors are for the caller: PEER_UNAVAILABLE if rider-service could not be reached.
  virtual void RecordTripEvent(internal::v1::RecordTripEventRequest request, const ForCaller& caller,
                               std::function<void(absl::StatusOr<type::v1::Ride>)> done) = 0;
  virtual void ListDriverRides(internal::v1::ListDriverRidesRequest request, const ForCaller& caller,
                               std::function<void(absl::StatusOr<internal::v1::ListDriverRidesResponse>)> done) = 0;

  // Streams. Their handlers run on the dispatch loop; this object outlives them.
  virtual std::unique_ptr<Feed> WatchDrivers(FeedHandlers handlers) = 0;
  virtual std::unique_ptr<Locations> ReportLocations(LocationHandlers handlers) = 0;
};

}  // namespace hail::driver
