#include "driver-service/api/driver_commands.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "driver-service/codec/driver_codec.h"

namespace hail::driver {
namespace {

constexpr std::size_t kMaxNoteBytes = 512;
// An accept is answered when its outcome is certain; who waits without a deadline of their own asks again after this.
constexpr absl::Duration kAnswerTime = absl::Minutes(1);

absl::Status CheckCancel(const v1::DriverCancel& cancel) {
  if (cancel.reason() < type::v1::CANCEL_REASON_UNSPECIFIED || cancel.reason() > type::v1::CANCEL_REASON_OTHER) {
    return InvalidField("cancel.reason", "must be a reason that drivers can give");
  }
  if (cancel.note().size() > kMaxNoteBytes) return InvalidField("cancel.note", "must be at most 512 bytes");
  return absl::OkStatus();
}

// AdvanceTrip as rider-service is told it.
absl::StatusOr<internal::v1::RecordTripEventRequest> StepOf(const std::string& driver_id,
                                                            const v1::AdvanceTripRequest& request) {
  if (absl::Status status = CheckId(request.ride_id(), "ride_id"); !status.ok()) return status;
  if (request.epoch() < 1) return InvalidField("epoch", "must be at least 1");
  if (request.leg() < 0) return InvalidField("leg", "must not be negative");
  internal::v1::RecordTripEventRequest step;
  step.set_driver_id(driver_id);
  step.set_ride_id(request.ride_id());
  step.set_epoch(request.epoch());
  step.set_leg(request.leg());
  switch (request.action_case()) {
    case v1::AdvanceTripRequest::kSeen:
      step.set_step(internal::v1::TRIP_STEP_SEEN);
      return step;
    case v1::AdvanceTripRequest::kArrive:
      step.set_step(internal::v1::TRIP_STEP_ARRIVE);
      return step;
    case v1::AdvanceTripRequest::kStart:
      step.set_step(internal::v1::TRIP_STEP_START);
      return step;
    case v1::AdvanceTripRequest::kComplete:
      step.set_step(internal::v1::TRIP_STEP_COMPLETE);
      return step;
    case v1::AdvanceTripRequest::kCancel:
      if (absl::Status status = CheckCancel(request.cancel()); !status.ok()) return status;
      step.set_step(internal::v1::TRIP_STEP_CANCEL);
      step.set_reason(request.cancel().reason());
      step.set_note(request.cancel().note());
      return step;
    case v1::AdvanceTripRequest::ACTION_NOT_SET:
      break;
  }
  return InvalidField("action", "is required");
}

}  // namespace

void DriverCommands::SetAvailability(const std::string& driver_id, v1::Availability availability, absl::Time deadline,
                                     StateDone done) {
  const absl::StatusOr<Availability> wish = FromProto(availability);
  if (!wish.ok()) {
    host_.Post([driver_id, status = wish.status(), done = std::move(done)](Dispatch& core, Now now) {
      done(status, core.State(now, driver_id));
    });
    return;
  }
  host_.WithSession(driver_id, [this, driver_id, wish = *wish, deadline, done = std::move(done)](
                                   absl::StatusOr<std::int64_t> session, Dispatch& core, Now now) {
    if (!session.ok()) return done(session.status(), core.State(now, driver_id));
    store_.SetAvailability(driver_id, wish, now.domain, deadline,
                           [this, driver_id, done](absl::StatusOr<StoredDriver> stored) {
                             host_.Post([driver_id, stored = std::move(stored), done](Dispatch& core, Now now) {
                               absl::Status status = stored.status();
                               if (status.ok()) core.SetAvailability(now, driver_id, stored->availability);
                               // Whoever claimed it meanwhile may have read the wish as it was before.
                               if (status.ok() && !core.HasSession(driver_id)) {
                                 status = Unavailable(Reason::kPeerUnavailable, "the session has moved; retry");
                               }
                               done(status, core.State(now, driver_id));
                             });
                           });
  });
}

void DriverCommands::ReadState(const std::string& driver_id, std::function<void(absl::StatusOr<DriverState>)> done) {
  host_.WithSession(driver_id,
                    [driver_id, done = std::move(done)](absl::StatusOr<std::int64_t> session, Dispatch& core, Now now) {
                      if (!session.ok()) return done(session.status());
                      done(core.ReadState(now, driver_id));
                    });
}

void DriverCommands::UpdateLocation(const v1::UpdateLocationRequest& request,
                                    std::function<void(absl::StatusOr<int>)> done) {
  if (request.session_epoch() < 0) return done(InvalidField("session_epoch", "must not be negative"));
  host_.WithSession(request.driver_id(),
                    [this, request, done = std::move(done)](absl::StatusOr<std::int64_t> session, Dispatch&, Now) {
                      if (!session.ok()) return done(session.status());
                      const std::int64_t named = request.session_epoch();
                      // Another replica may have opened it.
                      if (named > *session) {
                        return done(Unavailable(Reason::kPeerUnavailable, "the session is not known here yet; retry"));
                      }
                      done(positions_.Take(request.driver_id(), named == 0 ? *session : named, request));
                    });
}

void DriverCommands::RespondToOffer(const std::string& driver_id, const std::string& offer_id, bool accept,
                                    absl::Time deadline, std::function<void(absl::StatusOr<RespondResult>)> done) {
  host_.WithSession(driver_id, [this, driver_id, offer_id, accept, deadline, done = std::move(done)](
                                   absl::StatusOr<std::int64_t> session, Dispatch& core, Now now) {
    if (!session.ok()) return done(session.status());
    // Both run on the loop: the first of them answers, the other does nothing.
    auto waiting = std::make_shared<std::function<void(absl::StatusOr<RespondResult>)>>(done);
    const auto answer = [waiting](absl::StatusOr<RespondResult> result) {
      if (const auto tell = std::exchange(*waiting, nullptr)) tell(std::move(result));
    };
    host_.PostAfter(std::min(deadline - now.wall, kAnswerTime), [late = std::weak_ptr(waiting)] {
      const auto waiting = late.lock();
      if (waiting == nullptr) return;
      if (const auto tell = std::exchange(*waiting, nullptr)) {
        tell(MakeError(absl::StatusCode::kDeadlineExceeded, "the outcome is not certain yet: ask again",
                       {.reason = Reason::kOutcomeUnknown}));
      }
    });
    core.Respond(now, driver_id, offer_id, accept, answer);
  });
}

absl::StatusOr<bool> DriverCommands::CheckAnswer(const v1::RespondToOfferRequest& request) {
  if (absl::Status status = CheckId(request.offer_id(), "offer_id"); !status.ok()) return status;
  switch (request.response()) {
    case v1::OFFER_RESPONSE_ACCEPT:
      return true;
    case v1::OFFER_RESPONSE_DECLINE:
      return false;
    default:
      return InvalidField("response", "must be ACCEPT or DECLINE");
  }
}

void DriverCommands::AdvanceTrip(const std::string& driver_id, const v1::AdvanceTripRequest& request,
                                 const ForCaller& caller, std::function<void(absl::StatusOr<type::v1::Ride>)> done) {
  absl::StatusOr<internal::v1::RecordTripEventRequest> step = StepOf(driver_id, request);
  if (!step.ok()) return done(step.status());
  rider_.RecordTripEvent(*std::move(step), caller, std::move(done));
}

}  // namespace hail::driver
