#include "rider-service/api/assignment_service.h"

#include <utility>

#include "common/ids/shown_id.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/api/driver_streams.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

namespace pb = hail::internal::v1;

// Answers with the ride or the error.
template <typename Response>
Done<Ride> AnswerWithRide(Done<Response> done) {
  return [done = std::move(done)](const absl::StatusOr<Ride>& ride) {
    if (!ride.ok()) return done(ride.status());
    Response response;
    Encode(*ride, response.mutable_ride());
    done(std::move(response));
  };
}

// Records the operator and the reason: the ride's own event contains neither.
void LogResolution(const rpc::CallContext& call, const pb::ResolveRideRequest& request,
                   const absl::StatusOr<Ride>& ride) {
  const std::string resolution = pb::Resolution_Name(request.resolution());
  if (!ride.ok()) {
    Log(LogLevel::kInfo, "ride_resolution_refused",
        {{"ride_id", ShownId(request.ride_id())},
         {"resolution", resolution},
         {"peer", call.peer},
         {"caller_request_id", call.request_id},
         {"status", ride.status()}});
    return;
  }
  Log(LogLevel::kInfo, "ride_resolved",
      {{"ride_id", ride->ride_id()},
       {"resolution", resolution},
       {"note", request.note()},
       {"sequence", ride->sequence()},
       {"peer", call.peer},
       {"caller_request_id", call.request_id}});
}

}  // namespace

void AssignmentService::ConfirmAssignment(const rpc::CallContext& call, const pb::ConfirmAssignmentRequest& request,
                                          Done<pb::ConfirmAssignmentResponse> done) {
  auto assignment = DecodeAssignment(request);
  if (!assignment.ok()) return done(assignment.status());
  ports_.rides->Confirm(ReadClock(), request.ride_id(), *std::move(assignment), call.deadline,
                        AnswerWithRide(std::move(done)));
}

void AssignmentService::FindAssignment(const rpc::CallContext&, const pb::FindAssignmentRequest& request,
                                       Done<pb::FindAssignmentResponse> done) {
  ports_.rides->FindAssignment(request.driver_id(), request.offer_id(), AnswerWithRide(std::move(done)));
}

void AssignmentService::RecordTripEvent(const rpc::CallContext& call, const pb::RecordTripEventRequest& request,
                                        Done<pb::RecordTripEventResponse> done) {
  auto command = DecodeCommand(request);
  if (!command.ok()) return done(command.status());
  ports_.rides->RecordStep(ReadClock(), request.ride_id(), *std::move(command), call.deadline,
                           AnswerWithRide(std::move(done)));
}

void AssignmentService::ListDriverRides(const rpc::CallContext&, const pb::ListDriverRidesRequest& request,
                                        Done<pb::ListDriverRidesResponse> done) {
  if (const absl::Status status = CheckId(request.driver_id(), "driver_id"); !status.ok()) return done(status);
  ports_.rides->ListForDriver(request.driver_id(), request.page_size(), request.page_token(),
                              [done = std::move(done)](const absl::StatusOr<Rides::Listed>& listed) {
                                if (!listed.ok()) return done(listed.status());
                                pb::ListDriverRidesResponse response;
                                for (const Ride& ride : listed->rides) Encode(ride, response.add_rides());
                                response.set_next_page_token(listed->next_page_token);
                                done(std::move(response));
                              });
}

void AssignmentService::GetRide(const rpc::CallContext&, const pb::GetRideRequest& request,
                                Done<pb::GetRideResponse> done) {
  ports_.rides->GetForOperator(request.ride_id(), AnswerWithRide(std::move(done)));
}

void AssignmentService::ResolveRide(const rpc::CallContext& call, const pb::ResolveRideRequest& request,
                                    Done<pb::ResolveRideResponse> done) {
  const auto resolution = DecodeResolution(request.resolution());
  if (!resolution.ok()) return done(resolution.status());
  ports_.rides->ResolveRide(
      ReadClock(), request.ride_id(), *resolution, request.note(), call.deadline,
      [&call, &request, answer = AnswerWithRide(std::move(done))](const absl::StatusOr<Ride>& ride) {
        LogResolution(call, request, ride);
        answer(ride);
      });
}

std::shared_ptr<rpc::InboundSession<pb::WatchDriversRequest>> AssignmentService::WatchDrivers(
    const rpc::CallContext&, std::shared_ptr<rpc::Sink<pb::WatchDriversResponse>> sink) {
  return std::make_shared<DriversStream>(ports_.session, std::move(sink));
}

std::shared_ptr<rpc::InboundSession<pb::ReportLocationsRequest>> AssignmentService::ReportLocations(
    const rpc::CallContext&, std::shared_ptr<rpc::Sink<pb::ReportLocationsResponse>> sink) {
  return std::make_shared<LocationsStream>(ports_.session, std::move(sink));
}

}  // namespace hail::rider
