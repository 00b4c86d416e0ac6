#include "driver-service/api/driver_service.h"

#include <algorithm>
#include <utility>

#include "common/errors/check.h"
#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "driver-service/api/driver_app_session.h"
#include "driver-service/codec/driver_codec.h"

namespace hail::driver {
namespace {

// For callers without a deadline.
constexpr absl::Duration kCallTime = absl::Seconds(10);

v1::GetDriverStateResponse ResponseOf(const DriverState& state) {
  v1::GetDriverStateResponse response;
  *response.mutable_state() = ToProto(state);
  return response;
}

// The state of a driver without a session.
DriverState WithoutSession(const StoredDriver& stored) {
  DriverState state;
  state.driver_id = stored.driver.driver_id;
  state.availability = stored.availability;
  if (stored.availability == Availability::kOnline) state.blocked_by = BlockedBy::kNotConnected;
  return state;
}

// `done`, after a line in the log for a profile that was stored.
template <typename Response>
Done<Response> LogStored(const char* event, const rpc::CallContext& call, Done<Response> done) {
  return [event, &call, done = std::move(done)](const absl::StatusOr<Response>& stored) {
    if (stored.ok()) {
      Log(LogLevel::kInfo, event, {{"driver_id", stored->driver().driver_id()}, {"request_id", call.request_id}});
    }
    done(stored);
  };
}

}  // namespace

void DriverService::RegisterDriver(const rpc::CallContext& call, const v1::RegisterDriverRequest& request,
                                   Done<v1::RegisterDriverResponse> done) {
  if (absl::Status status = CheckDriver(FromProto(request.driver()), "driver"); !status.ok()) return done(status);
  RegisterAtOwner(call, request, LogStored("driver_registered", call, std::move(done)));
}

void DriverService::Register(const rpc::CallContext& call, const v1::RegisterDriverRequest& request, std::int64_t gone,
                             absl::Time deadline, Done<v1::RegisterDriverResponse> done) {
  commands_.Register(
      FromProto(request.driver()), gone, deadline,
      [this, &call, &request, gone, deadline, done = std::move(done)](const absl::StatusOr<ClaimedSession>& written) {
        if (!written.ok()) return done(written.status());
        if (written->claimed) {
          v1::RegisterDriverResponse response;
          *response.mutable_driver() = ToProto(written->stored.driver);
          return done(std::move(response));
        }
        const SessionClaim& owner = written->session;
        // Retry once. If another replica was faster, the caller may retry.
        const auto again = [this, &call, &request, epoch = owner.epoch, deadline, done] {
          Register(call, request, epoch, deadline, done);
        };
        if (gone != 0) return done(SessionCalls::NoAnswer());
        // Claimed here, and forgotten since.
        if (owner.replica == commands_.host().replica()) return again();
        if (!calls_.joined()) return done(SessionCalls::NoAnswer());
        Forward(owner.replica, call, request, done, again);
      });
}

void DriverService::GetDriver(const rpc::CallContext&, const v1::GetDriverRequest& request,
                              Done<v1::GetDriverResponse> done) {
  commands_.store().Get(request.driver_id(), [done = std::move(done)](const absl::StatusOr<StoredDriver>& stored) {
    if (!stored.ok()) return done(stored.status());
    v1::GetDriverResponse response;
    *response.mutable_driver() = ToProto(stored->driver);
    done(std::move(response));
  });
}

void DriverService::GetDriverState(const rpc::CallContext& call, const v1::GetDriverStateRequest& request,
                                   Done<v1::GetDriverStateResponse> done) {
  commands_.host().Post([this, &call, &request, done = std::move(done)](Dispatch& core, Now now) {
    const std::string& driver_id = request.driver_id();
    if (core.HasSession(driver_id)) return done(ResponseOf(core.ReadState(now, driver_id, request.session_epoch())));
    commands_.store().GetSession(driver_id, [this, &call, &request, done](const absl::StatusOr<ClaimedSession>& known) {
      if (!known.ok()) return done(known.status());
      const std::string& owner = known->session.replica;
      const auto as_stored = [done, stored = known->stored] { done(ResponseOf(WithoutSession(stored))); };
      if (!calls_.joined() || owner.empty() || owner == commands_.host().replica()) return as_stored();
      Forward(owner, call, request, done, as_stored);
    });
  });
}

void DriverService::UpdateDriver(const rpc::CallContext& call, const v1::UpdateDriverRequest& request,
                                 Done<v1::UpdateDriverResponse> done) {
  AtSession(call, request, LogStored("driver_updated", call, std::move(done)));
}

void DriverService::SetAvailability(const rpc::CallContext& call, const v1::SetAvailabilityRequest& request,
                                    Done<v1::SetAvailabilityResponse> done) {
  AtSession(call, request, std::move(done));
}

void DriverService::UpdateLocation(const rpc::CallContext& call, const v1::UpdateLocationRequest& request,
                                   Done<v1::UpdateLocationResponse> done) {
  AtSession(call, request, std::move(done));
}

void DriverService::RespondToOffer(const rpc::CallContext& call, const v1::RespondToOfferRequest& request,
                                   Done<v1::RespondToOfferResponse> done) {
  AtSession(call, request, std::move(done));
}

void DriverService::AcknowledgeOffer(const rpc::CallContext& call, const v1::AcknowledgeOfferRequest& request,
                                     Done<v1::AcknowledgeOfferResponse> done) {
  AtSession(call, request, std::move(done));
}

void DriverService::AdvanceTrip(const rpc::CallContext& call, const v1::AdvanceTripRequest& request,
                                Done<v1::AdvanceTripResponse> done) {
  commands_.host().Post([driver_id = request.driver_id()](Dispatch& core, Now now) { core.Contact(now, driver_id); });
  commands_.AdvanceTrip(request.driver_id(), request, {.deadline = call.deadline, .traceparent = call.traceparent},
                        [done = std::move(done)](absl::StatusOr<type::v1::Ride> ride) {
                          if (!ride.ok()) return done(ride.status());
                          v1::AdvanceTripResponse response;
                          *response.mutable_ride() = *std::move(ride);
                          done(std::move(response));
                        });
}

void DriverService::ListTrips(const rpc::CallContext& call, const v1::ListTripsRequest& request,
                              Done<v1::ListTripsResponse> done) {
  commands_.store().Get(
      request.driver_id(), [this, &call, &request, done = std::move(done)](const absl::StatusOr<StoredDriver>& stored) {
        if (!stored.ok()) return done(stored.status());
        internal::v1::ListDriverRidesRequest list;
        list.set_driver_id(request.driver_id());
        list.set_page_size(request.page_size());
        list.set_page_token(request.page_token());
        commands_.rider().ListDriverRides(std::move(list), {.deadline = call.deadline, .traceparent = call.traceparent},
                                          [done](absl::StatusOr<internal::v1::ListDriverRidesResponse> rides) {
                                            if (!rides.ok()) return done(rides.status());
                                            v1::ListTripsResponse response;
                                            *response.mutable_trips() = std::move(*rides->mutable_rides());
                                            response.set_next_page_token(rides->next_page_token());
                                            done(std::move(response));
                                          });
      });
}

std::shared_ptr<rpc::InboundSession<v1::StreamDriverRequest>> DriverService::StreamDriver(
    const rpc::CallContext& call, std::shared_ptr<rpc::Sink<v1::StreamDriverResponse>> sink) {
  return std::make_shared<DriverAppSession>(commands_, std::move(sink), call);
}

std::shared_ptr<rpc::StreamSession> DriverService::WatchDriver(
    const rpc::CallContext& call, const v1::WatchDriverRequest& request,
    std::shared_ptr<rpc::Sink<v1::StreamDriverResponse>> sink) {
  auto session = std::make_shared<DriverAppSession>(commands_, std::move(sink), call);
  session->Watch(request);
  return session;
}

// ---- The public methods

void DriverService::UpdateAtOwner(const rpc::CallContext& call, const v1::UpdateDriverRequest& request,
                                  Done<v1::UpdateDriverResponse> done) {
  commands_.Update(request, {.deadline = Deadline(call), .traceparent = call.traceparent},
                   [done = std::move(done)](const absl::StatusOr<Driver>& driver) {
                     if (!driver.ok()) return done(driver.status());
                     v1::UpdateDriverResponse response;
                     *response.mutable_driver() = ToProto(*driver);
                     done(std::move(response));
                   });
}

void DriverService::GetStateAtOwner(const rpc::CallContext&, const v1::GetDriverStateRequest& request,
                                    Done<v1::GetDriverStateResponse> done) {
  commands_.ReadState(request.driver_id(), request.session_epoch(),
                      [done = std::move(done)](const DriverState& state) { done(ResponseOf(state)); });
}

void DriverService::SetAvailabilityAtOwner(const rpc::CallContext& call, const v1::SetAvailabilityRequest& request,
                                           Done<v1::SetAvailabilityResponse> done) {
  commands_.SetAvailability(request.driver_id(), request.availability(), Deadline(call),
                            [done = std::move(done)](const absl::Status& status, const DriverState& state) {
                              if (!status.ok()) return done(status);
                              v1::SetAvailabilityResponse response;
                              *response.mutable_state() = ToProto(state);
                              done(std::move(response));
                            });
}

void DriverService::UpdateLocationAtOwner(const rpc::CallContext&, const v1::UpdateLocationRequest& request,
                                          Done<v1::UpdateLocationResponse> done) {
  commands_.UpdateLocation(request, [done = std::move(done)](const absl::StatusOr<PositionTally>& tally) {
    if (!tally.ok()) return done(tally.status());
    done(ToProto(*tally));
  });
}

void DriverService::RespondAtOwner(const rpc::CallContext& call, const v1::RespondToOfferRequest& request,
                                   Done<v1::RespondToOfferResponse> done) {
  const absl::StatusOr<bool> accept = DriverCommands::CheckAnswer(request);
  if (!accept.ok()) return done(accept.status());
  commands_.RespondToOffer(request.driver_id(), request.offer_id(), *accept, call.deadline,
                           [done = std::move(done)](const absl::StatusOr<RespondResult>& result) {
                             if (!result.ok()) return done(result.status());
                             if (!result->status.ok()) return done(result->status);
                             v1::RespondToOfferResponse response;
                             *response.mutable_offer() = ToProto(result->offer);
                             *response.mutable_state() = ToProto(result->state);
                             done(std::move(response));
                           });
}

void DriverService::AcknowledgeAtOwner(const rpc::CallContext&, const v1::AcknowledgeOfferRequest& request,
                                       Done<v1::AcknowledgeOfferResponse> done) {
  if (absl::Status status = CheckId(request.offer_id(), "offer_id"); !status.ok()) return done(status);
  commands_.AcknowledgeOffer(request.driver_id(), request.offer_id(),
                             [done = std::move(done)](const absl::StatusOr<DriverState>& state) {
                               if (!state.ok()) return done(state.status());
                               v1::AcknowledgeOfferResponse response;
                               *response.mutable_state() = ToProto(*state);
                               done(std::move(response));
                             });
}

absl::Time DriverService::Deadline(const rpc::CallContext& call) const {
  return std::min(call.deadline, commands_.clock().Read().wall + kCallTime);
}

// ---- Their implementation at the owner of the session

template <typename Request, typename Response>
void DriverService::AtSession(const rpc::CallContext& call, const Request& request, Done<Response> done) {
  constexpr auto kMethod = rpc::MethodOf<DriverService, Request>();
  constexpr auto kAtOwner = kMethod.options.at_owner;
  // Not a static_assert: with -fsanitize=undefined, GCC 12 does not take the comparison for a constant.
  HAIL_CHECK(kAtOwner != nullptr);
  if (!calls_.joined()) return (this->*kAtOwner)(call, request, std::move(done));
  const std::string& driver_id = kMethod.access.person(request)->id;
  const auto here = [this, &call, &request, done](const absl::StatusOr<std::int64_t>& session, Dispatch&, Now) {
    if (!session.ok()) return done(session.status());
    (this->*kAtOwner)(call, request, done);
  };
  commands_.host().WithSession(
      driver_id, here, [this, &driver_id, &call, &request, here, done](const SessionClaim& owner) {
        // Retry once. If another replica was faster, the caller may retry.
        const auto no_session = [this, &driver_id, here, done, gone = owner.epoch] {
          commands_.host().WithSession(
              driver_id, here, [done](const SessionClaim&) { done(SessionCalls::NoAnswer()); }, gone);
        };
        Forward(owner.replica, call, request, done, no_session);
      });
}

template <typename Request, typename Response>
void DriverService::Forward(const std::string& owner, const rpc::CallContext& call, const Request& request,
                            Done<Response> done, std::function<void()> no_session) {
  constexpr auto kMethod = rpc::MethodOf<DriverService, Request>();
  HAIL_CHECK(kMethod.options.at_owner != nullptr);
  const auto read = [done = std::move(done)](const absl::StatusOr<std::string>& bytes) {
    if (!bytes.ok()) return done(bytes.status());
    Response response;
    if (!response.ParseFromString(*bytes)) return done(Internal("another replica's answer cannot be read"));
    done(std::move(response));
  };
  calls_.Forward(owner, call.caller, kMethod.access.person(request)->id, kMethod.name, request.SerializeAsString(),
                 read, std::move(no_session));
}

}  // namespace hail::driver
