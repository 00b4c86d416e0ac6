#include "driver-service/api/driver_commands.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/text/text.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/ride_codec.h"

namespace hail::driver {
namespace {

// An accept is answered when its outcome is certain. A client without a deadline of its own repeats it after this time.
constexpr absl::Duration kAnswerTime = absl::Minutes(1);
// Wall time.
constexpr absl::Duration kReadAgainAfter = absl::Seconds(1);

absl::Status CheckCancel(const v1::DriverCancel& cancel) {
  if (cancel.reason() < type::v1::CANCEL_REASON_UNSPECIFIED || cancel.reason() > type::v1::CANCEL_REASON_OTHER) {
    return InvalidField("cancel.reason", "must be a reason that drivers can give");
  }
  return CheckNote(cancel.note(), "cancel.note");
}

// Sets the step for a rider-service of the previous version, with the contract's numbers. A command that this version
// does not know has no step, and is refused.
void SetStepForEarlierVersion(const v1::AdvanceTripRequest& command, internal::v1::RecordTripEventRequest& step) {
  const int number = command.action_case() - v1::AdvanceTripRequest::kSeen + internal::v1::TRIP_STEP_SEEN;
  static_assert(v1::AdvanceTripRequest::kCancel - v1::AdvanceTripRequest::kSeen ==
                internal::v1::TRIP_STEP_CANCEL - internal::v1::TRIP_STEP_SEEN);
  if (!internal::v1::TripStep_IsValid(number)) return;
  step.set_step(static_cast<internal::v1::TripStep>(number));
  step.set_reason(command.cancel().reason());
  step.set_note(command.cancel().note());
}

// AdvanceTrip for rider-service, which alone knows the commands and their payloads.
absl::StatusOr<internal::v1::RecordTripEventRequest> StepOf(const std::string& driver_id,
                                                            const v1::AdvanceTripRequest& request) {
  if (absl::Status status = CheckId(request.ride_id(), "ride_id"); !status.ok()) return status;
  if (request.epoch() < 1) return InvalidField("epoch", "must be at least 1");
  if (request.leg() < 0) return InvalidField("leg", "must not be negative");
  if (request.action_case() == v1::AdvanceTripRequest::ACTION_NOT_SET) return InvalidField("action", "is required");
  if (request.has_cancel()) {
    if (absl::Status status = CheckCancel(request.cancel()); !status.ok()) return status;
  }
  internal::v1::RecordTripEventRequest step;
  step.set_driver_id(driver_id);
  step.set_ride_id(request.ride_id());
  step.set_epoch(request.epoch());
  step.set_leg(request.leg());
  *step.mutable_command() = request;
  step.mutable_command()->set_driver_id(driver_id);
  SetStepForEarlierVersion(request, step);
  return step;
}

// Whether a ride shows the driver's vehicle, or may soon: a live ride that this replica or rider-service knows, or an
// accept that is being confirmed.
bool IsBusy(const DriverState& state, const internal::v1::ListDriverRidesResponse& latest) {
  return state.status == DriverStatus::kReserved || state.status == DriverStatus::kOnTrip ||
         std::any_of(latest.rides().begin(), latest.rides().end(),
                     [](const type::v1::Ride& ride) { return FromProto(ride).live; });
}

}  // namespace

void DriverCommands::SetAvailability(const std::string& driver_id, v1::Availability availability, absl::Time deadline,
                                     StateDone done) {
  const absl::StatusOr<Availability> desired = FromProto(availability);
  if (!desired.ok()) {
    host_.Post([driver_id, status = desired.status(), done = std::move(done)](Dispatch& core, Now now) {
      done(status, core.State(now, driver_id));
    });
    return;
  }
  host_.WithSession(driver_id, [this, driver_id, desired = *desired, deadline, done = std::move(done)](
                                   absl::StatusOr<std::int64_t> session, Dispatch& core, Now now) {
    if (!session.ok()) return done(session.status(), core.State(now, driver_id));
    StoreAvailability(driver_id, desired, deadline, /*again=*/true, core, now, done);
  });
}

void DriverCommands::StoreAvailability(const std::string& driver_id, Availability desired, absl::Time deadline,
                                       bool again, Dispatch& core, Now now, StateDone done) {
  const auto stored = [this, driver_id, desired, deadline, again, done = std::move(done)](
                          const absl::StatusOr<ClaimedSession>& written, Dispatch& core, Now now) {
    if (!written.ok()) {
      // It is unknown whether the write happened.
      if (absl::IsUnavailable(written.status())) ReadAgain(driver_id);
      return done(written.status(), core.State(now, driver_id));
    }
    if (written->claimed) {
      core.Learn(now, written->stored.driver, written->stored.availability);
    } else {
      core.OnClaims(now, {written->session});
      // The claim is this replica's own: its answer is on its way, or was lost.
      if (again && core.HasSession(driver_id) && core.ClaimOf(driver_id).epoch == written->session.epoch) {
        return StoreAvailability(driver_id, desired, deadline, /*again=*/false, core, now, done);
      }
    }
    const bool made = written->claimed && core.HasSession(driver_id);
    done(made ? absl::OkStatus() : Unavailable(Reason::kPeerUnavailable, "the session has moved; retry"),
         core.State(now, driver_id));
  };
  store_.SetAvailability(
      core.ClaimOf(driver_id), desired, now.domain, deadline, [this, stored](absl::StatusOr<ClaimedSession> written) {
        host_.Post([stored, written = std::move(written)](Dispatch& core, Now now) { stored(written, core, now); });
      });
}

void DriverCommands::ReadAgain(const std::string& driver_id) {
  if (reading_again_.insert(driver_id).second) ReadLater(driver_id);
}

void DriverCommands::ReadLater(const std::string& driver_id) {
  host_.PostAfter(kReadAgainAfter, [this, driver_id] {
    store_.Get(driver_id, [this, driver_id](absl::StatusOr<StoredDriver> stored) {
      host_.Post([this, driver_id, stored = std::move(stored)](Dispatch& core, Now now) {
        if (stored.ok()) core.Learn(now, stored->driver, stored->availability);
        // Without a session nothing is read now: the next session reads the row when it opens.
        if (!stored.ok() && !absl::IsNotFound(stored.status()) && host_.HasOrOpensSession(driver_id)) {
          return ReadLater(driver_id);
        }
        reading_again_.erase(driver_id);
      });
    });
  });
}

void DriverCommands::InTurn(const std::string& driver_id, DispatchHost::Input turn) {
  const auto [waiting, free] = turns_.try_emplace(driver_id);
  if (!free) return waiting->second.push_back(std::move(turn));
  host_.Here(turn);
}

void DriverCommands::EndTurn(const std::string& driver_id) {
  const auto waiting = turns_.find(driver_id);
  if (waiting->second.empty()) {
    turns_.erase(waiting);
    return;
  }
  const DispatchHost::Input next = std::move(waiting->second.front());
  waiting->second.pop_front();
  host_.Here(next);
}

void DriverCommands::Register(const Driver& driver, std::int64_t gone, absl::Time deadline, WriteDone done) {
  const auto turn = [this, driver, gone, deadline, done = std::move(done)](Dispatch& core, Now now) {
    StoreProfile(driver, gone, deadline, core, now,
                 [this, driver_id = driver.driver_id, done](const absl::StatusOr<ClaimedSession>& written) {
                   done(written);
                   EndTurn(driver_id);
                 });
  };
  host_.Post([this, driver_id = driver.driver_id, turn](Dispatch&, Now) { InTurn(driver_id, turn); });
}

void DriverCommands::StoreProfile(const Driver& driver, std::int64_t gone, absl::Time deadline, Dispatch& core, Now now,
                                  WriteDone done) {
  const std::int64_t claim = core.ClaimOf(driver.driver_id).epoch;
  store_.Register(driver, host_.replica(), claim != 0 ? claim : gone, now.domain, deadline,
                  [this, driver_id = driver.driver_id, done](absl::StatusOr<ClaimedSession> written) {
                    host_.Post([this, driver_id, done, written = std::move(written)](Dispatch& core, Now now) {
                      if (!written.ok()) {
                        if (absl::IsUnavailable(written.status())) ReadAgain(driver_id);
                      } else if (written->claimed) {
                        core.Learn(now, written->stored.driver, written->stored.availability);
                        // A session that is opening may have read the old row.
                        if (!core.HasSession(driver_id) && host_.HasOrOpensSession(driver_id)) ReadAgain(driver_id);
                      } else {
                        core.OnClaims(now, {written->session});
                      }
                      done(written);
                    });
                  });
}

void DriverCommands::Update(const v1::UpdateDriverRequest& request, const ForCaller& caller, DriverDone done) {
  const std::string& driver_id = request.driver().driver_id();
  const auto stored = [this, driver_id, done](const absl::StatusOr<ClaimedSession>& written) {
    if (!written.ok()) {
      done(written.status());
    } else if (!written->claimed) {
      done(Unavailable(Reason::kPeerUnavailable, "the session has moved; retry"));
    } else {
      done(written->stored.driver);
    }
    EndTurn(driver_id);
  };
  const auto turn = [this, driver_id, request, caller, stored](Dispatch&, Now) {
    // The core's copy is older where the outcome of a write is not known.
    store_.Get(driver_id, [this, request, caller, stored](absl::StatusOr<StoredDriver> known) {
      host_.Post([this, request, caller, stored, known = std::move(known)](Dispatch& core, Now now) {
        if (!known.ok()) return stored(known.status());
        StoreUpdate(*known, request, caller, core, now, stored);
      });
    });
  };
  host_.WithSession(driver_id, [this, driver_id, turn, done = std::move(done)](
                                   const absl::StatusOr<std::int64_t>& session, Dispatch&, Now) {
    if (!session.ok()) return done(session.status());
    InTurn(driver_id, turn);
  });
}

void DriverCommands::StoreUpdate(const StoredDriver& known, const v1::UpdateDriverRequest& request,
                                 const ForCaller& caller, Dispatch& core, Now now, WriteDone done) {
  const absl::StatusOr<Driver> driver = Updated(known.driver, request);
  if (!driver.ok()) return done(driver.status());
  if (driver->vehicle == known.driver.vehicle && driver->region_id == known.driver.region_id) {
    return StoreProfile(*driver, /*gone=*/0, caller.deadline, core, now, std::move(done));
  }
  // A session that has just been opened knows of no ride yet.
  internal::v1::ListDriverRidesRequest latest;
  latest.set_driver_id(driver->driver_id);
  latest.set_page_size(1);
  rider_.ListDriverRides(
      std::move(latest), caller,
      [this, driver = *driver, deadline = caller.deadline,
       done = std::move(done)](absl::StatusOr<internal::v1::ListDriverRidesResponse> rides) {
        host_.Post([this, driver, deadline, done, rides = std::move(rides)](Dispatch& core, Now now) {
          if (!rides.ok()) return done(rides.status());
          if (IsBusy(core.State(now, driver.driver_id), *rides)) {
            return done(FailedPrecondition(Reason::kDriverBusy, "vehicle and region cannot change during a ride"));
          }
          StoreProfile(driver, /*gone=*/0, deadline, core, now, done);
        });
      });
}

void DriverCommands::ReadState(const std::string& driver_id, std::int64_t session_epoch,
                               std::function<void(const DriverState&)> done) {
  host_.Post([driver_id, session_epoch, done = std::move(done)](Dispatch& core, Now now) {
    done(core.ReadState(now, driver_id, session_epoch));
  });
}

void DriverCommands::UpdateLocation(const v1::UpdateLocationRequest& request,
                                    std::function<void(absl::StatusOr<PositionTally>)> done) {
  if (request.session_epoch() < 0) return done(InvalidField("session_epoch", "must not be negative"));
  host_.WithSession(request.driver_id(),
                    [this, request, done = std::move(done)](absl::StatusOr<std::int64_t> session, Dispatch& core, Now) {
                      if (!session.ok()) return done(session.status());
                      const std::int64_t named = request.session_epoch();
                      // Another replica may have opened that session.
                      if (named > *session) {
                        return done(Unavailable(Reason::kPeerUnavailable, "the session is not known here yet; retry"));
                      }
                      core.Positioned(request.driver_id());
                      done(positions_.Take(request.driver_id(), named == 0 ? *session : named, request));
                    });
}

void DriverCommands::RespondToOffer(const std::string& driver_id, const std::string& offer_id, bool accept,
                                    absl::Time deadline, std::function<void(absl::StatusOr<RespondResult>)> done) {
  host_.WithSession(driver_id, [this, driver_id, offer_id, accept, deadline, done = std::move(done)](
                                   absl::StatusOr<std::int64_t> session, Dispatch&, Now now) {
    if (!session.ok()) return done(session.status());
    // Both callbacks run on the loop: the first one answers, the other does nothing.
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
    Respond(driver_id, offer_id, accept, answer);
  });
}

void DriverCommands::AcknowledgeOffer(const std::string& driver_id, const std::string& offer_id,
                                      std::function<void(absl::StatusOr<DriverState>)> done) {
  host_.WithSession(driver_id, [driver_id, offer_id, done = std::move(done)](absl::StatusOr<std::int64_t> session,
                                                                             Dispatch& core, Now now) {
    if (!session.ok()) return done(session.status());
    core.OfferReceived(now, driver_id, offer_id);
    done(core.State(now, driver_id));
  });
}

void DriverCommands::Respond(const std::string& driver_id, const std::string& offer_id, bool accept, RespondDone done) {
  const DispatchHost::Input respond = [driver_id, offer_id, accept, done = std::move(done)](Dispatch& core, Now now) {
    core.Respond(now, driver_id, offer_id, accept, done);
  };
  if (!accept) return host_.Here(respond);
  InTurn(driver_id, [this, driver_id, respond](Dispatch& core, Now now) {
    respond(core, now);
    EndTurn(driver_id);
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
  rider_.RecordTripEvent(
      *std::move(step), caller, [this, driver_id, done = std::move(done)](absl::StatusOr<type::v1::Ride> ride) {
        if (ride.ok()) {
          host_.Post(
              [driver_id, view = FromProto(*ride)](Dispatch& core, Now now) { core.Advanced(now, driver_id, view); });
        }
        done(std::move(ride));
      });
}

}  // namespace hail::driver
