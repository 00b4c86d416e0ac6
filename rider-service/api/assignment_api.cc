#include "rider-service/api/assignment_api.h"

#include <utility>

#include "common/ids/shown_id.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "common/rpc/call_info.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/api/driver_streams.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

namespace pb = hail::internal::v1;

// All drivers of a driver-service may subscribe at once, and each is answered with a snapshot.
constexpr std::size_t kDriversQueue = 100'000;
// Many positions in one message.
constexpr std::size_t kMaxReportBytes = 1 << 20;

// Answers `call` with the ride, or with why there is none.
template <typename Call>
Done<Ride> AnswerWithRide(Call call) {
  return [call](const absl::StatusOr<Ride>& ride) {
    if (!ride.ok()) return call->Finish(ride.status());
    Encode(*ride, call->response().mutable_ride());
    call->Finish();
  };
}

// The trace of who did it and why: the ride's own event says only that it was called off, or completed.
void LogResolution(const rpc::CallInfo& info, const hail::internal::v1::ResolveRideRequest& request,
                   const absl::StatusOr<Ride>& ride) {
  const std::string resolution = hail::internal::v1::Resolution_Name(request.resolution());
  if (!ride.ok()) {
    Log(LogLevel::kInfo, "ride_resolution_refused",
        {{"ride_id", ShownId(request.ride_id())},
         {"resolution", resolution},
         {"peer", info.peer},
         {"caller_request_id", info.request_id},
         {"status", ride.status()}});
    return;
  }
  Log(LogLevel::kInfo, "ride_resolved",
      {{"ride_id", ride->ride_id},
       {"resolution", resolution},
       {"note", request.note()},
       {"sequence", ride->sequence},
       {"peer", info.peer},
       {"caller_request_id", info.request_id}});
}

}  // namespace

AssignmentApi::AssignmentApi(Ports ports)
    : rpc::Service(ports.gate, pb::AssignmentService::service_full_name()), ports_(ports) {
  Unary<pb::ConfirmAssignmentRequest, pb::ConfirmAssignmentResponse>("ConfirmAssignment", [this](const auto& call) {
    auto assignment = DecodeAssignment(call->request());
    if (!assignment.ok()) return call->Finish(assignment.status());
    ports_.rides->Confirm(ReadClock(), call->request().ride_id(), *std::move(assignment), call->deadline(),
                          AnswerWithRide(call));
  });

  Unary<pb::FindAssignmentRequest, pb::FindAssignmentResponse>("FindAssignment", [this](const auto& call) {
    ports_.rides->FindAssignment(call->request().driver_id(), call->request().offer_id(), AnswerWithRide(call));
  });

  Unary<pb::RecordTripEventRequest, pb::RecordTripEventResponse>("RecordTripEvent", [this](const auto& call) {
    auto command = DecodeCommand(call->request());
    if (!command.ok()) return call->Finish(command.status());
    ports_.rides->RecordStep(ReadClock(), call->request().ride_id(), *std::move(command), call->deadline(),
                             AnswerWithRide(call));
  });

  Unary<pb::ListDriverRidesRequest, pb::ListDriverRidesResponse>("ListDriverRides", [this](const auto& call) {
    if (const absl::Status status = CheckId(call->request().driver_id(), "driver_id"); !status.ok()) {
      return call->Finish(status);
    }
    ports_.rides->ListForDriver(call->request().driver_id(), call->request().page_size(), call->request().page_token(),
                                [call](const absl::StatusOr<Rides::Listed>& listed) {
                                  if (!listed.ok()) return call->Finish(listed.status());
                                  for (const Ride& ride : listed->rides) Encode(ride, call->response().add_rides());
                                  call->response().set_next_page_token(listed->next_page_token);
                                  call->Finish();
                                });
  });

  Unary<pb::ResolveRideRequest, pb::ResolveRideResponse>("ResolveRide", [this](const auto& call) {
    const auto resolution = DecodeResolution(call->request().resolution());
    if (!resolution.ok()) return call->Finish(resolution.status());
    ports_.rides->ResolveRide(ReadClock(), call->request().ride_id(), *resolution, call->request().note(),
                              call->deadline(), [call](const absl::StatusOr<Ride>& ride) {
                                LogResolution(call->info(), call->request(), ride);
                                AnswerWithRide(call)(ride);
                              });
  });

  Bidi<pb::WatchDriversRequest, pb::WatchDriversResponse>(
      "WatchDrivers", {.queue = kDriversQueue, .ages = false, .greets = true},
      [this](auto outbox, const auto&) { return std::make_shared<DriversStream>(ports_.session, std::move(outbox)); });

  // No heartbeats: there may be nothing to report for a long time, and a dead connection is found by keepalive.
  Inbound<pb::ReportLocationsRequest, pb::ReportLocationsResponse>(
      "ReportLocations", {.must_beat = false, .max_message_bytes = kMaxReportBytes, .ages = false, .greets = true},
      [this](auto outbox, const auto&) {
        return std::make_shared<LocationsStream>(ports_.session, std::move(outbox));
      });
}

}  // namespace hail::rider
