#include "driver-service/api/session_calls.h"

#include <utility>

#include "common/errors/error.h"
#include "common/rpc/error_codec.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/replica.pb.h"

namespace hail::driver {
namespace {

// Wall time: longer than a call to a replica that lives, and is not overloaded, can take.
constexpr absl::Duration kForwardTime = absl::Milliseconds(500);

absl::Status NoAnswer() {
  return Unavailable(Reason::kPeerUnavailable, "the replica that has the driver's session does not answer; retry");
}

v1::GetDriverStateResponse ResponseOf(const DriverState& state) {
  v1::GetDriverStateResponse response;
  *response.mutable_state() = ToProto(state);
  return response;
}

// Of a driver whose session nobody has.
DriverState WithoutSession(const StoredDriver& stored) {
  DriverState state;
  state.driver_id = stored.driver.driver_id;
  state.availability = stored.availability;
  if (stored.availability == Availability::kOnline) state.blocked_by = BlockedBy::kNotConnected;
  return state;
}

std::string NoSession() {
  replica::v1::ForwardedAnswer answer;
  answer.set_no_session(true);
  return answer.SerializeAsString();
}

template <typename Response>
std::string AnswerBytes(const absl::StatusOr<Response>& result) {
  replica::v1::ForwardedAnswer answer;
  if (result.ok()) {
    answer.set_response(result->SerializeAsString());
  } else {
    answer.set_error(rpc::ToProto(result.status()).SerializeAsString());
  }
  return answer.SerializeAsString();
}

// What the other replica's outcome is for the caller.
template <typename Response>
absl::StatusOr<Response> ResultOf(const replica::v1::ForwardedAnswer& answer) {
  Response response;
  if (answer.has_response() && response.ParseFromString(answer.response())) return response;
  type::v1::Status error;
  if (answer.has_error() && error.ParseFromString(answer.error())) {
    if (absl::Status status = rpc::FromProto(error); !status.ok()) return status;
  }
  return Internal("another replica's answer cannot be read");
}

}  // namespace

void SessionCalls::Join(Bus* bus, const std::string& replica) {
  asker_ = std::make_unique<Asker>(bus, &commands_.host().loop(), replica);
  answerer_ = std::make_unique<Answerer>(
      bus, replica, [this](std::string_view bytes, const Answerer::Reply& reply) { OnForwarded(bytes, reply); });
}

void SessionCalls::Leave() { answerer_.reset(); }

// ---- The calls

void SessionCalls::GetDriverState(const v1::GetDriverStateRequest& request, absl::Time,
                                  Done<v1::GetDriverStateResponse> done) {
  commands_.host().Post([this, request, done = std::move(done)](Dispatch& core, Now now) {
    const std::string& driver_id = request.driver_id();
    if (core.HasSession(driver_id)) return done(ResponseOf(core.ReadState(now, driver_id, request.session_epoch())));
    commands_.store().GetSession(driver_id, [this, request, done](const absl::StatusOr<ClaimedSession>& known) {
      if (!known.ok()) return done(known.status());
      const std::string& owner = known->session.replica;
      const auto as_stored = [done, stored = known->stored] { done(ResponseOf(WithoutSession(stored))); };
      if (asker_ == nullptr || owner.empty() || owner == commands_.host().replica()) return as_stored();
      PassOn<v1::GetDriverStateRequest, v1::GetDriverStateResponse>(owner, request.driver_id(), "GetDriverState",
                                                                    request, done, as_stored);
    });
  });
}

void SessionCalls::RegisterDriver(const v1::RegisterDriverRequest& request, absl::Time deadline,
                                  Done<v1::RegisterDriverResponse> done) {
  Register(request, 0, deadline, std::move(done));
}

void SessionCalls::Register(const v1::RegisterDriverRequest& request, std::int64_t gone, absl::Time deadline,
                            Done<v1::RegisterDriverResponse> done) {
  commands_.Register(
      FromProto(request.driver()), gone, deadline,
      [this, request, gone, deadline, done = std::move(done)](const absl::StatusOr<ClaimedSession>& written) {
        if (!written.ok()) return done(written.status());
        if (written->claimed) {
          v1::RegisterDriverResponse response;
          *response.mutable_driver() = ToProto(written->stored.driver);
          return done(std::move(response));
        }
        const SessionClaim& owner = written->session;
        // Once more, and if somebody was quicker the caller may ask again.
        const auto again = [this, request, epoch = owner.epoch, deadline, done] {
          Register(request, epoch, deadline, done);
        };
        if (gone != 0) return done(NoAnswer());
        // Claimed here, and forgotten since.
        if (owner.replica == commands_.host().replica()) return again();
        if (asker_ == nullptr) return done(NoAnswer());
        PassOn<v1::RegisterDriverRequest, v1::RegisterDriverResponse>(owner.replica, request.driver().driver_id(),
                                                                      "RegisterDriver", request, done, again);
      });
}

void SessionCalls::SetAvailability(const v1::SetAvailabilityRequest& request, absl::Time deadline,
                                   Done<v1::SetAvailabilityResponse> done) {
  Route("SetAvailability", request, deadline, std::move(done));
}

void SessionCalls::UpdateLocation(const v1::UpdateLocationRequest& request, absl::Time deadline,
                                  Done<v1::UpdateLocationResponse> done) {
  Route("UpdateLocation", request, deadline, std::move(done));
}

void SessionCalls::RespondToOffer(const v1::RespondToOfferRequest& request, absl::Time deadline,
                                  Done<v1::RespondToOfferResponse> done) {
  Route("RespondToOffer", request, deadline, std::move(done));
}

void SessionCalls::Do(const v1::GetDriverStateRequest& request, absl::Time, Done<v1::GetDriverStateResponse> done) {
  commands_.ReadState(request.driver_id(), request.session_epoch(),
                      [done = std::move(done)](const DriverState& state) { done(ResponseOf(state)); });
}

void SessionCalls::Do(const v1::RegisterDriverRequest& request, absl::Time deadline,
                      Done<v1::RegisterDriverResponse> done) {
  Register(request, 0, deadline, std::move(done));
}

void SessionCalls::Do(const v1::SetAvailabilityRequest& request, absl::Time deadline,
                      Done<v1::SetAvailabilityResponse> done) {
  commands_.SetAvailability(request.driver_id(), request.availability(), deadline,
                            [done = std::move(done)](const absl::Status& status, const DriverState& state) {
                              if (!status.ok()) return done(status);
                              v1::SetAvailabilityResponse response;
                              *response.mutable_state() = ToProto(state);
                              done(std::move(response));
                            });
}

void SessionCalls::Do(const v1::UpdateLocationRequest& request, absl::Time, Done<v1::UpdateLocationResponse> done) {
  commands_.UpdateLocation(request, [done = std::move(done)](const absl::StatusOr<PositionTally>& tally) {
    if (!tally.ok()) return done(tally.status());
    done(ToProto(*tally));
  });
}

void SessionCalls::Do(const v1::RespondToOfferRequest& request, absl::Time deadline,
                      Done<v1::RespondToOfferResponse> done) {
  const absl::StatusOr<bool> accept = DriverCommands::CheckAnswer(request);
  if (!accept.ok()) return done(accept.status());
  commands_.RespondToOffer(request.driver_id(), request.offer_id(), *accept, deadline,
                           [done = std::move(done)](const absl::StatusOr<RespondResult>& result) {
                             if (!result.ok()) return done(result.status());
                             if (!result->status.ok()) return done(result->status);
                             v1::RespondToOfferResponse response;
                             *response.mutable_offer() = ToProto(result->offer);
                             *response.mutable_state() = ToProto(result->state);
                             done(std::move(response));
                           });
}

// ---- Where they are done

template <typename Request, typename Response>
void SessionCalls::Route(const char* method, const Request& request, absl::Time deadline, Done<Response> done) {
  if (asker_ == nullptr) return Do(request, deadline, std::move(done));
  const auto here = [this, request, deadline, done](const absl::StatusOr<std::int64_t>& session, Dispatch&, Now) {
    if (!session.ok()) return done(session.status());
    Do(request, deadline, done);
  };
  commands_.host().WithSession(
      request.driver_id(), here, [this, method, request, here, done](const SessionClaim& owner) {
        // Once more, and if somebody was quicker the caller may ask again.
        const auto no_session = [this, request, here, done, gone = owner.epoch] {
          commands_.host().WithSession(
              request.driver_id(), here, [done](const SessionClaim&) { done(NoAnswer()); }, gone);
        };
        PassOn(owner.replica, request.driver_id(), method, request, done, no_session);
      });
}

template <typename Request, typename Response>
void SessionCalls::PassOn(const std::string& owner, const std::string& driver_id, const char* method,
                          const Request& request, Done<Response> done, std::function<void()> no_session) {
  replica::v1::ForwardedCall call;
  call.set_driver_id(driver_id);
  call.set_method(method);
  call.set_request(request.SerializeAsString());
  asker_->Ask(owner, call.SerializeAsString(), kForwardTime,
              [done = std::move(done), no_session = std::move(no_session)](const absl::StatusOr<std::string>& bytes) {
                replica::v1::ForwardedAnswer answer;
                if (!bytes.ok() || !answer.ParseFromString(*bytes)) return done(NoAnswer());
                if (answer.no_session()) return no_session();
                done(ResultOf<Response>(answer));
              });
}

template <typename Request, typename Response>
void SessionCalls::DoForwarded(const std::string& bytes, const Answerer::Reply& reply) {
  Request request;
  if (!request.ParseFromString(bytes)) return;
  Do(request, commands_.clock().Read().wall + kForwardTime,
     Done<Response>([reply](const absl::StatusOr<Response>& result) { reply(AnswerBytes(result)); }));
}

void SessionCalls::OnForwarded(std::string_view bytes, const Answerer::Reply& reply) {
  replica::v1::ForwardedCall call;
  if (!call.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  commands_.host().Post([this, call = std::move(call), reply](Dispatch& core, Now) {
    if (!core.HasSession(call.driver_id())) {
      // One that is being opened is about to be here: the caller asks again.
      if (!commands_.host().HasOrOpensSession(call.driver_id())) reply(NoSession());
      return;
    }
    if (call.method() == "GetDriverState") {
      DoForwarded<v1::GetDriverStateRequest, v1::GetDriverStateResponse>(call.request(), reply);
    } else if (call.method() == "RegisterDriver") {
      DoForwarded<v1::RegisterDriverRequest, v1::RegisterDriverResponse>(call.request(), reply);
    } else if (call.method() == "SetAvailability") {
      DoForwarded<v1::SetAvailabilityRequest, v1::SetAvailabilityResponse>(call.request(), reply);
    } else if (call.method() == "UpdateLocation") {
      DoForwarded<v1::UpdateLocationRequest, v1::UpdateLocationResponse>(call.request(), reply);
    } else if (call.method() == "RespondToOffer") {
      DoForwarded<v1::RespondToOfferRequest, v1::RespondToOfferResponse>(call.request(), reply);
    }
  });
}

}  // namespace hail::driver
