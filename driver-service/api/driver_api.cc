#include "driver-service/api/driver_api.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/errors/error.h"
#include "common/logging/log.h"
#include "common/rpc/bidi_stream.h"
#include "common/rpc/identity.h"
#include "common/rpc/unary.h"
#include "driver-service/api/driver_session.h"
#include "driver-service/codec/driver_codec.h"

namespace hail::driver {
namespace {

// For callers who set no deadline.
constexpr absl::Duration kCallTime = absl::Seconds(10);

// Whether the caller may speak for the driver named; otherwise the call is finished.
template <typename Call>
bool MaySpeak(const Call& call, const std::string& driver_id, const std::string& field) {
  const absl::Status status = rpc::CheckSpeaksFor(call->info().caller, driver_id, field);
  if (!status.ok()) call->Finish(status);
  return status.ok();
}

// Ends the call with what came of it.
template <typename Response, typename Call>
SessionCalls::Done<Response> AnswerOf(const Call& call) {
  return [call](absl::StatusOr<Response> result) {
    if (result.ok()) call->response() = *std::move(result);
    call->Finish(result.status());
  };
}

}  // namespace

grpc::ServerUnaryReactor* DriverApi::RegisterDriver(grpc::CallbackServerContext* context,
                                                    const v1::RegisterDriverRequest* request,
                                                    v1::RegisterDriverResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "RegisterDriver", [this](auto call) {
    const Driver driver = FromProto(call->request().driver());
    if (absl::Status status = CheckDriver(driver, "driver"); !status.ok()) return call->Finish(status);
    if (!MaySpeak(call, driver.driver_id, "driver.driver_id")) return;
    calls_.RegisterDriver(
        call->request(), Deadline(call->deadline()), [call](absl::StatusOr<v1::RegisterDriverResponse> registered) {
          if (!registered.ok()) return call->Finish(registered.status());
          Log(LogLevel::kInfo, "driver_registered",
              {{"driver_id", registered->driver().driver_id()}, {"request_id", call->info().request_id}});
          call->response() = *std::move(registered);
          call->Finish();
        });
  });
}

grpc::ServerUnaryReactor* DriverApi::GetDriver(grpc::CallbackServerContext* context,
                                               const v1::GetDriverRequest* request, v1::GetDriverResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "GetDriver", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    commands_.store().Get(call->request().driver_id(), [call](absl::StatusOr<StoredDriver> stored) {
      if (!stored.ok()) return call->Finish(stored.status());
      *call->response().mutable_driver() = ToProto(stored->driver);
      call->Finish();
    });
  });
}

grpc::ServerUnaryReactor* DriverApi::GetDriverState(grpc::CallbackServerContext* context,
                                                    const v1::GetDriverStateRequest* request,
                                                    v1::GetDriverStateResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "GetDriverState", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.GetDriverState(call->request(), call->deadline(), AnswerOf<v1::GetDriverStateResponse>(call));
  });
}

grpc::ServerUnaryReactor* DriverApi::SetAvailability(grpc::CallbackServerContext* context,
                                                     const v1::SetAvailabilityRequest* request,
                                                     v1::SetAvailabilityResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "SetAvailability", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.SetAvailability(call->request(), Deadline(call->deadline()), AnswerOf<v1::SetAvailabilityResponse>(call));
  });
}

grpc::ServerUnaryReactor* DriverApi::UpdateLocation(grpc::CallbackServerContext* context,
                                                    const v1::UpdateLocationRequest* request,
                                                    v1::UpdateLocationResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "UpdateLocation", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.UpdateLocation(call->request(), call->deadline(), AnswerOf<v1::UpdateLocationResponse>(call));
  });
}

grpc::ServerUnaryReactor* DriverApi::RespondToOffer(grpc::CallbackServerContext* context,
                                                    const v1::RespondToOfferRequest* request,
                                                    v1::RespondToOfferResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "RespondToOffer", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.RespondToOffer(call->request(), call->deadline(), AnswerOf<v1::RespondToOfferResponse>(call));
  });
}

grpc::ServerUnaryReactor* DriverApi::AdvanceTrip(grpc::CallbackServerContext* context,
                                                 const v1::AdvanceTripRequest* request,
                                                 v1::AdvanceTripResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "AdvanceTrip", [this](auto call) {
    const std::string driver_id = call->request().driver_id();
    if (!MaySpeak(call, driver_id, "driver_id")) return;
    commands_.host().Post([driver_id](Dispatch& core, Now now) { core.Contact(now, driver_id); });
    commands_.AdvanceTrip(driver_id, call->request(),
                          {.deadline = call->deadline(), .traceparent = call->info().traceparent},
                          [call](absl::StatusOr<type::v1::Ride> ride) {
                            if (!ride.ok()) return call->Finish(ride.status());
                            *call->response().mutable_ride() = *std::move(ride);
                            call->Finish();
                          });
  });
}

grpc::ServerUnaryReactor* DriverApi::ListTrips(grpc::CallbackServerContext* context,
                                               const v1::ListTripsRequest* request, v1::ListTripsResponse* response) {
  return rpc::Unary(&gate_, context, request, response, "ListTrips", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    commands_.store().Get(call->request().driver_id(), [this, call](absl::StatusOr<StoredDriver> stored) {
      if (!stored.ok()) return call->Finish(stored.status());
      internal::v1::ListDriverRidesRequest list;
      list.set_driver_id(call->request().driver_id());
      list.set_page_size(call->request().page_size());
      list.set_page_token(call->request().page_token());
      commands_.rider().ListDriverRides(std::move(list),
                                        {.deadline = call->deadline(), .traceparent = call->info().traceparent},
                                        [call](absl::StatusOr<internal::v1::ListDriverRidesResponse> rides) {
                                          if (!rides.ok()) return call->Finish(rides.status());
                                          *call->response().mutable_trips() = std::move(*rides->mutable_rides());
                                          call->response().set_next_page_token(rides->next_page_token());
                                          call->Finish();
                                        });
    });
  });
}

grpc::ServerBidiReactor<v1::StreamDriverRequest, v1::StreamDriverResponse>* DriverApi::StreamDriver(
    grpc::CallbackServerContext* context) {
  return rpc::ServeBidi<v1::StreamDriverRequest, v1::StreamDriverResponse>(
      &gate_, context, "StreamDriver", {}, [this](auto outbox, const rpc::CallInfo& info) {
        return std::make_shared<DriverSession>(commands_, std::move(outbox), info);
      });
}

absl::Time DriverApi::Deadline(absl::Time callers) const {
  return std::min(callers, commands_.clock().Read().wall + kCallTime);
}

}  // namespace hail::driver
