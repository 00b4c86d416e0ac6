#include "driver-service/api/driver_api.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/errors/error.h"
#include "common/logging/log.h"
#include "common/rpc/identity.h"
#include "driver-service/api/driver_session.h"
#include "driver-service/codec/driver_codec.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"

namespace hail::driver {
namespace {

// For callers who set no deadline.
constexpr absl::Duration kCallTime = absl::Seconds(10);

// Whether the caller may speak for the driver named; otherwise the call is finished.
template <typename Call>
bool MaySpeak(const Call& call, const std::string& driver_id, const std::string& field) {
  const absl::Status status = rpc::CheckSpeaksFor(call->context().caller, driver_id, field);
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

DriverApi::DriverApi(rpc::Gate& gate, DriverCommands& commands, SessionCalls& calls)
    : rpc::Service(&gate, v1::DriverService::service_full_name()), commands_(commands), calls_(calls) {
  Unary<v1::RegisterDriverRequest, v1::RegisterDriverResponse>("RegisterDriver", [this](auto call) {
    const Driver driver = FromProto(call->request().driver());
    if (absl::Status status = CheckDriver(driver, "driver"); !status.ok()) return call->Finish(status);
    if (!MaySpeak(call, driver.driver_id, "driver.driver_id")) return;
    calls_.RegisterDriver(
        call->request(), Deadline(call->deadline()), [call](absl::StatusOr<v1::RegisterDriverResponse> registered) {
          if (!registered.ok()) return call->Finish(registered.status());
          Log(LogLevel::kInfo, "driver_registered",
              {{"driver_id", registered->driver().driver_id()}, {"request_id", call->context().request_id}});
          call->response() = *std::move(registered);
          call->Finish();
        });
  });

  Unary<v1::GetDriverRequest, v1::GetDriverResponse>("GetDriver", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    commands_.store().Get(call->request().driver_id(), [call](absl::StatusOr<StoredDriver> stored) {
      if (!stored.ok()) return call->Finish(stored.status());
      *call->response().mutable_driver() = ToProto(stored->driver);
      call->Finish();
    });
  });

  Unary<v1::GetDriverStateRequest, v1::GetDriverStateResponse>("GetDriverState", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.GetDriverState(call->request(), call->deadline(), AnswerOf<v1::GetDriverStateResponse>(call));
  });

  Unary<v1::SetAvailabilityRequest, v1::SetAvailabilityResponse>("SetAvailability", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.SetAvailability(call->request(), Deadline(call->deadline()), AnswerOf<v1::SetAvailabilityResponse>(call));
  });

  Unary<v1::UpdateLocationRequest, v1::UpdateLocationResponse>("UpdateLocation", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.UpdateLocation(call->request(), call->deadline(), AnswerOf<v1::UpdateLocationResponse>(call));
  });

  Unary<v1::RespondToOfferRequest, v1::RespondToOfferResponse>("RespondToOffer", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    calls_.RespondToOffer(call->request(), call->deadline(), AnswerOf<v1::RespondToOfferResponse>(call));
  });

  Unary<v1::AdvanceTripRequest, v1::AdvanceTripResponse>("AdvanceTrip", [this](auto call) {
    const std::string driver_id = call->request().driver_id();
    if (!MaySpeak(call, driver_id, "driver_id")) return;
    commands_.host().Post([driver_id](Dispatch& core, Now now) { core.Contact(now, driver_id); });
    commands_.AdvanceTrip(driver_id, call->request(),
                          {.deadline = call->deadline(), .traceparent = call->context().traceparent},
                          [call](absl::StatusOr<type::v1::Ride> ride) {
                            if (!ride.ok()) return call->Finish(ride.status());
                            *call->response().mutable_ride() = *std::move(ride);
                            call->Finish();
                          });
  });

  Unary<v1::ListTripsRequest, v1::ListTripsResponse>("ListTrips", [this](auto call) {
    if (!MaySpeak(call, call->request().driver_id(), "driver_id")) return;
    commands_.store().Get(call->request().driver_id(), [this, call](absl::StatusOr<StoredDriver> stored) {
      if (!stored.ok()) return call->Finish(stored.status());
      internal::v1::ListDriverRidesRequest list;
      list.set_driver_id(call->request().driver_id());
      list.set_page_size(call->request().page_size());
      list.set_page_token(call->request().page_token());
      commands_.rider().ListDriverRides(std::move(list),
                                        {.deadline = call->deadline(), .traceparent = call->context().traceparent},
                                        [call](absl::StatusOr<internal::v1::ListDriverRidesResponse> rides) {
                                          if (!rides.ok()) return call->Finish(rides.status());
                                          *call->response().mutable_trips() = std::move(*rides->mutable_rides());
                                          call->response().set_next_page_token(rides->next_page_token());
                                          call->Finish();
                                        });
    });
  });

  Bidi<v1::StreamDriverRequest, v1::StreamDriverResponse>(
      "StreamDriver", {}, [this](auto outbox, const rpc::CallContext& info) {
        return std::make_shared<DriverSession>(commands_, std::move(outbox), info);
      });
}

absl::Time DriverApi::Deadline(absl::Time callers) const {
  return std::min(callers, commands_.clock().Read().wall + kCallTime);
}

}  // namespace hail::driver
