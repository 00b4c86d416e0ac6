#include "rider-service/api/assignment_api.h"

#include <utility>

#include "common/ids/shown_id.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "common/rpc/call_info.h"
#include "common/rpc/bidi_stream.h"
#include "common/rpc/inbound_stream.h"
#include "common/rpc/unary.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/api/driver_streams.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

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

grpc::ServerUnaryReactor* AssignmentApi::ConfirmAssignment(grpc::CallbackServerContext* context,
                                                           const hail::internal::v1::ConfirmAssignmentRequest* request,
                                                           hail::internal::v1::ConfirmAssignmentResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "ConfirmAssignment", [this](const auto& call) {
    auto assignment = DecodeAssignment(call->request());
    if (!assignment.ok()) return call->Finish(assignment.status());
    ports_.rides->Confirm(ReadClock(), call->request().ride_id(), *std::move(assignment), call->deadline(),
                          AnswerWithRide(call));
  });
}

grpc::ServerUnaryReactor* AssignmentApi::FindAssignment(grpc::CallbackServerContext* context,
                                                        const hail::internal::v1::FindAssignmentRequest* request,
                                                        hail::internal::v1::FindAssignmentResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "FindAssignment", [this](const auto& call) {
    ports_.rides->FindAssignment(call->request().driver_id(), call->request().offer_id(), AnswerWithRide(call));
  });
}

grpc::ServerUnaryReactor* AssignmentApi::RecordTripEvent(grpc::CallbackServerContext* context,
                                                         const hail::internal::v1::RecordTripEventRequest* request,
                                                         hail::internal::v1::RecordTripEventResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "RecordTripEvent", [this](const auto& call) {
    auto command = DecodeCommand(call->request());
    if (!command.ok()) return call->Finish(command.status());
    ports_.rides->RecordStep(ReadClock(), call->request().ride_id(), *std::move(command), call->deadline(),
                             AnswerWithRide(call));
  });
}

grpc::ServerUnaryReactor* AssignmentApi::ListDriverRides(grpc::CallbackServerContext* context,
                                                         const hail::internal::v1::ListDriverRidesRequest* request,
                                                         hail::internal::v1::ListDriverRidesResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "ListDriverRides", [this](const auto& call) {
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
}

grpc::ServerUnaryReactor* AssignmentApi::ResolveRide(grpc::CallbackServerContext* context,
                                                     const hail::internal::v1::ResolveRideRequest* request,
                                                     hail::internal::v1::ResolveRideResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "ResolveRide", [this](const auto& call) {
    const auto resolution = DecodeResolution(call->request().resolution());
    if (!resolution.ok()) return call->Finish(resolution.status());
    ports_.rides->ResolveRide(ReadClock(), call->request().ride_id(), *resolution, call->request().note(),
                              call->deadline(), [call](const absl::StatusOr<Ride>& ride) {
                                LogResolution(call->info(), call->request(), ride);
                                AnswerWithRide(call)(ride);
                              });
  });
}

grpc::ServerBidiReactor<hail::internal::v1::WatchDriversRequest, hail::internal::v1::WatchDriversResponse>*
AssignmentApi::WatchDrivers(grpc::CallbackServerContext* context) {
  return rpc::ServeBidi<hail::internal::v1::WatchDriversRequest, hail::internal::v1::WatchDriversResponse>(
      ports_.gate, context, "WatchDrivers", {.queue = kDriversQueue, .ages = false},
      [this](auto outbox, const auto&) { return std::make_shared<DriversStream>(ports_.session, std::move(outbox)); });
}

grpc::ServerReadReactor<hail::internal::v1::ReportLocationsRequest>* AssignmentApi::ReportLocations(
    grpc::CallbackServerContext* context, hail::internal::v1::ReportLocationsResponse*) {
  // No heartbeats: there may be nothing to report for a long time, and a dead connection is found by keepalive.
  return rpc::ServeInbound<hail::internal::v1::ReportLocationsRequest>(
      ports_.gate, context, "ReportLocations",
      {.must_beat = false, .max_message_bytes = kMaxReportBytes, .ages = false}, [this](auto outbox, const auto&) {
        return std::make_shared<LocationsStream>(ports_.session, std::move(outbox));
      });
}

}  // namespace hail::rider
